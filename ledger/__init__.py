"""The record of a cloud contract, and the contract that gives it meaning."""
