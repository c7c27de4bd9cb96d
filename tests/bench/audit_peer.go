// The root over the lines of a file, by golang.org/x/mod's tlog: what manabiya-verify is compared with.
//
// usage: audit_peer FILE
package main

import (
	"bufio"
	"encoding/base64"
	"fmt"
	"os"

	"golang.org/x/mod/sumdb/tlog"
)

type stored []tlog.Hash

func (s stored) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	list := make([]tlog.Hash, len(indexes))
	for i, index := range indexes {
		list[i] = s[index]
	}
	return list, nil
}

func main() {
	file, err := os.Open(os.Args[1])
	if err != nil {
		panic(err)
	}
	lines := bufio.NewScanner(file)
	lines.Buffer(make([]byte, 1<<20), 1<<20)
	all := stored{}
	n := int64(0)
	for ; lines.Scan(); n++ {
		more, err := tlog.StoredHashes(n, lines.Bytes(), all)
		if err != nil {
			panic(err)
		}
		all = append(all, more...)
	}
	root, err := tlog.TreeHash(n, all)
	if err != nil {
		panic(err)
	}
	fmt.Println(base64.StdEncoding.EncodeToString(root[:]))
}
