// Checks a log with golang.org/x/mod's note and tlog packages alone: nothing here is Manabiya's.
//
// usage: independent DIRECTORY
//
// The directory holds what the API answered: key, checkpoint, witness (a witness's verifier key, if one has signed), earlier, consistency.json, index, inclusion.json,
// export.ndjson (all lines), and tile/ as C2SP's tlog-tiles lays it out.
package main

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
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

func read(name string) string {
	data, err := os.ReadFile(filepath.Join(os.Args[1], name))
	check(err)
	return string(data)
}

func hashOf(text string) tlog.Hash {
	var hash tlog.Hash
	data, err := base64.StdEncoding.DecodeString(text)
	check(err)
	if copy(hash[:], data) != len(hash) || len(data) != len(hash) {
		check(fmt.Errorf("not a hash: %q", text))
	}
	return hash
}

func checkpoint(name string, verifier note.Verifier) tlog.Tree {
	signed, err := note.Open([]byte(read(name)), note.VerifierList(verifier))
	check(err)
	lines := strings.Split(signed.Text, "\n")
	if lines[0] != verifier.Name() {
		check(fmt.Errorf("of another log: %q", lines[0]))
	}
	size, err := strconv.ParseInt(lines[1], 10, 64)
	check(err)
	return tlog.Tree{N: size, Hash: hashOf(lines[2])}
}

// x/mod knows no cosignatures: C2SP's tlog-cosignature, type 4, is checked from its definition.
func checkCosignature(name, verifierText string) {
	message := read(name)
	text := message[:strings.Index(message, "\n\n")+1]
	parts := strings.SplitN(strings.TrimSpace(verifierText), "+", 3)
	key, err := base64.StdEncoding.DecodeString(parts[2])
	check(err)
	id := sha256.Sum256(append([]byte(parts[0]+"\n"), key...))
	if len(key) != 1+ed25519.PublicKeySize || key[0] != 4 || hex.EncodeToString(id[:4]) != parts[1] {
		check(fmt.Errorf("not a witness's key"))
	}
	for _, line := range strings.Split(message[len(text)+1:], "\n") {
		head := "\u2014 " + parts[0] + " "
		if !strings.HasPrefix(line, head) {
			continue
		}
		data, err := base64.StdEncoding.DecodeString(line[len(head):])
		check(err)
		if len(data) != 4+8+ed25519.SignatureSize || !bytes.Equal(data[:4], id[:4]) {
			continue
		}
		signed := fmt.Sprintf("cosignature/v1\ntime %d\n%s", binary.BigEndian.Uint64(data[4:12]), text)
		if ed25519.Verify(ed25519.PublicKey(key[1:]), []byte(signed), data[12:]) {
			return
		}
	}
	check(fmt.Errorf("not signed by the witness"))
}

func hashes(name string) []tlog.Hash {
	var answer struct{ Hashes []string }
	check(json.Unmarshal([]byte(read(name)), &answer))
	list := []tlog.Hash{}
	for _, text := range answer.Hashes {
		list = append(list, hashOf(text))
	}
	return list
}

// Every hash of the tree over the exported lines.
type stored []tlog.Hash

func (s stored) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	list := []tlog.Hash{}
	for _, i := range indexes {
		list = append(list, s[i])
	}
	return list, nil
}

// Tiles as files; what Go calls tile/8/0/001 is tile/0/001 in tlog-tiles.
type tiles struct{}

func (tiles) Height() int                         { return 8 }
func (tiles) SaveTiles([]tlog.Tile, [][]byte)     {}
func (tiles) ReadTiles(wanted []tlog.Tile) ([][]byte, error) {
	list := [][]byte{}
	for _, tile := range wanted {
		list = append(list, []byte(read(strings.Replace(tile.Path(), "tile/8/", "tile/", 1))))
	}
	return list, nil
}

func main() {
	verifier, err := note.NewVerifier(strings.TrimSpace(read("key")))
	check(err)
	now, before := checkpoint("checkpoint", verifier), checkpoint("earlier", verifier)
	if data, err := os.ReadFile(filepath.Join(os.Args[1], "witness")); err == nil {
		checkCosignature("checkpoint", string(data))
	}
	check(tlog.CheckTree(hashes("consistency.json"), now.N, now.Hash, before.N, before.Hash))

	lines := bytes.Split([]byte(strings.TrimSuffix(read("export.ndjson"), "\n")), []byte("\n"))
	index, err := strconv.ParseInt(read("index"), 10, 64)
	check(err)
	check(tlog.CheckRecord(hashes("inclusion.json"), now.N, now.Hash, index, tlog.RecordHash(lines[index])))

	all := stored{}
	for i, line := range lines {
		more, err := tlog.StoredHashes(int64(i), line, all)
		check(err)
		all = append(all, more...)
	}
	root, err := tlog.TreeHash(now.N, all)
	check(err)
	if int64(len(lines)) != now.N || root != now.Hash {
		check(fmt.Errorf("the export is not what was signed"))
	}

	// The reader authenticates every tile against the signed root.
	reader := tlog.TileHashReader(now, tiles{})
	proof, err := tlog.ProveRecord(now.N, index, reader)
	check(err)
	check(tlog.CheckRecord(proof, now.N, now.Hash, index, tlog.RecordHash(lines[index])))
	for i := range lines {
		leaf, err := reader.ReadHashes([]int64{tlog.StoredHashIndex(0, int64(i))})
		check(err)
		if leaf[0] != tlog.RecordHash(lines[i]) {
			check(fmt.Errorf("leaf %d differs", i))
		}
	}
	fmt.Println("verified", now.N)
}
