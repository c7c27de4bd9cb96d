// Checks an archive's manifest and log with golang.org/x/mod's note and tlog packages alone: nothing here is Manabiya's.
//
// usage: archive KEY MANIFEST LINES PROOF
//
// KEY is the verifier key of the tenant's log. Prints the hash that the manifest gives for the list of files.
package main

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"os"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

func check(err error) {
	if err != nil {
		fmt.Println("refused:", err)
		os.Exit(1)
	}
}

func read(path string) []byte {
	data, err := os.ReadFile(path)
	check(err)
	return data
}

func open(text []byte) string {
	verifier, err := note.NewVerifier(os.Args[1])
	check(err)
	opened, err := note.Open(text, note.VerifierList(verifier))
	check(err)
	return opened.Text
}

// The checkpoint stands behind the empty line after the proof's hashes.
func checkpoint() []string {
	_, text, found := bytes.Cut(read(os.Args[4]), []byte("\n\n"))
	if !found {
		check(fmt.Errorf("no checkpoint"))
	}
	return strings.Split(open(text), "\n")
}

func main() {
	manifest := strings.Split(open(read(os.Args[2])), "\n")
	if manifest[0] != "manabiya-archive/v2" {
		check(fmt.Errorf("no manifest"))
	}
	stored := []tlog.Hash{}
	reader := tlog.HashReaderFunc(func(indexes []int64) (out []tlog.Hash, err error) {
		for _, index := range indexes {
			out = append(out, stored[index])
		}
		return out, nil
	})
	lines := strings.Split(strings.TrimSuffix(string(read(os.Args[3])), "\n"), "\n")
	for i, line := range lines {
		hashes, err := tlog.StoredHashes(int64(i), []byte(line), reader)
		check(err)
		stored = append(stored, hashes...)
	}
	root, err := tlog.TreeHash(int64(len(lines)), reader)
	check(err)
	signed := checkpoint()
	if signed[1] != fmt.Sprint(len(lines)) || signed[2] != base64.StdEncoding.EncodeToString(root[:]) {
		check(fmt.Errorf("the log is another"))
	}
	fmt.Println("verified", strings.Fields(manifest[4])[0], len(lines))
}
