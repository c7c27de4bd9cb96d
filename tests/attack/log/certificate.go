// Checks a certificate of erasure with golang.org/x/mod's note and tlog packages alone: nothing here is Manabiya's.
//
// usage: certificate KEY OPERATOR-KEY CERTIFICATE
//
// KEY is the verifier key that signed the certificate, OPERATOR-KEY that of the operator's log, whose proof stands in it.
package main

import (
	"encoding/base64"
	"fmt"
	"os"
	"strconv"
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

func open(text, key string) *note.Note {
	verifier, err := note.NewVerifier(key)
	check(err)
	opened, err := note.Open([]byte(text), note.VerifierList(verifier))
	check(err)
	return opened
}

func hashOf(text string) (hash tlog.Hash) {
	data, err := base64.StdEncoding.DecodeString(text)
	check(err)
	if copy(hash[:], data) != len(hash) {
		check(fmt.Errorf("not a hash: %q", text))
	}
	return hash
}

func main() {
	data, err := os.ReadFile(os.Args[3])
	check(err)
	event, proof := "", []string{}
	for _, line := range strings.Split(open(string(data), os.Args[1]).Text, "\n") {
		if strings.HasPrefix(line, "event ") {
			event = strings.TrimPrefix(line, "event ")
		} else if strings.HasPrefix(line, "> ") {
			proof = append(proof, strings.TrimPrefix(line, "> "))
		}
	}
	if len(proof) < 3 || proof[0] != "c2sp.org/tlog-proof@v1" {
		check(fmt.Errorf("no proof"))
	}
	index, err := strconv.ParseInt(strings.TrimPrefix(proof[1], "index "), 10, 64)
	check(err)
	hashes, rest := tlog.RecordProof{}, proof[2:]
	for ; rest[0] != ""; rest = rest[1:] {
		hashes = append(hashes, hashOf(rest[0]))
	}
	checkpoint := strings.Split(open(strings.Join(rest[1:], "\n")+"\n", os.Args[2]).Text, "\n")
	size, err := strconv.ParseInt(checkpoint[1], 10, 64)
	check(err)
	check(tlog.CheckRecord(hashes, size, hashOf(checkpoint[2]), index, tlog.RecordHash([]byte(event))))
	fmt.Println("verified", index)
}
