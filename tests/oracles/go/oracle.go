// Asks Go's checksum-database library what it thinks of our notes and proofs: one JSON question a line on
// standard input, one answer a line on standard output, "ok" or why not.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

type question struct {
	Ask    string
	Note   []byte
	Key    string
	Text   string
	Hashes [][]byte
	Size   int64
	Root   []byte
	Index  int64
	Leaf   []byte
	Old    int64
	Before []byte
	Tile   []byte
	Level  int
	Number int64
	Width  int
}

func hash(data []byte) (found tlog.Hash) {
	copy(found[:], data)
	return
}

func hashes(all [][]byte) (found []tlog.Hash) {
	for _, data := range all {
		found = append(found, hash(data))
	}
	return
}

func answer(q question) error {
	switch q.Ask {
	case "note":
		verifier, err := note.NewVerifier(q.Key)
		if err != nil {
			return err
		}
		opened, err := note.Open(q.Note, note.VerifierList(verifier))
		if err != nil {
			return err
		}
		if opened.Text != q.Text {
			return fmt.Errorf("the text is %q", opened.Text)
		}
		return nil
	case "inclusion":
		return tlog.CheckRecord(hashes(q.Hashes), q.Size, hash(q.Root), q.Index, tlog.RecordHash(q.Leaf))
	case "consistency":
		return tlog.CheckTree(hashes(q.Hashes), q.Size, hash(q.Root), q.Old, hash(q.Before))
	case "path":
		tile := tlog.Tile{H: 8, L: q.Level, N: q.Number, W: q.Width}
		if tile.Path() != "tile/8/"+q.Text {
			return fmt.Errorf("the path is %s", tile.Path())
		}
		return nil
	case "tile":
		// the hash at the end of a tile of level 0, read through the tile
		tile := tlog.Tile{H: 8, L: 0, N: q.Number, W: q.Width}
		found, err := tlog.HashFromTile(tile, q.Tile, tlog.StoredHashIndex(0, q.Index))
		if err != nil {
			return err
		}
		if found != tlog.RecordHash(q.Leaf) {
			return fmt.Errorf("the tile holds another hash")
		}
		return nil
	}
	return fmt.Errorf("no such question: %s", q.Ask)
}

func main() {
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		var q question
		err := json.Unmarshal(lines.Bytes(), &q)
		if err == nil {
			err = answer(q)
		}
		if err != nil {
			fmt.Println(err)
		} else {
			fmt.Println("ok")
		}
	}
}
