.PHONY: test lint run demo bench campaign

test:      ## the tests of every commit
	scripts/test

lint:      ## style, types, import rules
	scripts/setup test && scripts/setup lint
	.venv/bin/ruff check . && .venv/bin/ruff format --check . && .venv/bin/mypy && .venv/bin/lint-imports

run:       ## the ledger on its embedded defaults
	scripts/run

demo:      ## a sample contract year, then its pages
	scripts/run demo

bench:     ## what the ledger costs above the raw engine
	scripts/setup run && .venv/bin/greffe bench

campaign:  ## the long campaigns (see README)
	scripts/setup test && .venv/bin/python -m pytest -m long
