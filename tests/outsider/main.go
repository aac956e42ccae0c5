// Somebody else's reading of our log, and a log of theirs: Go's golang.org/x/mod/sumdb, on which C2SP's formats rest.
//
//	outsider read LOG VKEY [OLDER-NOTE...]   what Go finds in a log's folder, as JSON
//	outsider prove PROOF VKEY LINE-FILE      whether a .tlog-proof proves the line
//	outsider make FOLDER SIZE                a log by Go alone: notes, tiles and proofs
//
// Only two things are not Go's own: C2SP's tile paths have no height, and its checkpoints begin with an origin where
// Go's begin with a fixed line.
package main

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

const height = 8
const sumdb = "go.sum database tree"

func main() {
	var found interface{}
	var err error
	switch os.Args[1] {
	case "read":
		found, err = read(os.Args[2], os.Args[3], os.Args[4:])
	case "prove":
		found, err = prove(os.Args[2], os.Args[3], os.Args[4])
	case "make":
		var size int64
		fmt.Sscan(os.Args[3], &size)
		found, err = makeLog(os.Args[2], size)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	json.NewEncoder(os.Stdout).Encode(found)
}

// c2sp gives the path of a tile as C2SP has it.
func c2sp(tile tlog.Tile) string {
	return strings.Replace(tile.Path(), fmt.Sprintf("tile/%d/", tile.H), "tile/", 1)
}

// openTree opens a checkpoint's note; its origin must be the key's name.
func openTree(data []byte, vkey string) (tlog.Tree, error) {
	verifier, err := note.NewVerifier(vkey)
	if err != nil {
		return tlog.Tree{}, err
	}
	opened, err := note.Open(data, note.VerifierList(verifier))
	if err != nil {
		return tlog.Tree{}, err
	}
	origin, rest, _ := strings.Cut(opened.Text, "\n")
	if origin != verifier.Name() {
		return tlog.Tree{}, fmt.Errorf("a checkpoint of %q", origin)
	}
	return tlog.ParseTree([]byte(sumdb + "\n" + rest))
}

// folder reads tiles from a log's folder, each once.
type folder struct {
	path  string
	tiles map[string][]byte
}

func (f *folder) Height() int { return height }

func (f *folder) SaveTiles(tiles []tlog.Tile, data [][]byte) {}

func (f *folder) ReadTiles(tiles []tlog.Tile) ([][]byte, error) {
	var all [][]byte
	for _, tile := range tiles {
		name := c2sp(tile)
		if f.tiles[name] == nil {
			data, err := os.ReadFile(filepath.Join(f.path, name))
			if err != nil {
				return nil, err
			}
			f.tiles[name] = data
		}
		all = append(all, f.tiles[name])
	}
	return all, nil
}

type reading struct {
	Size       int64
	Entries    int64 // records whose entry, index line and leaf hash agree
	Included   int64 // records whose inclusion proof Go made of our tiles and checked
	Consistent int   // older notes that the tree continues
	Tiles      int   // tiles that were read
}

func read(path, vkey string, older []string) (*reading, error) {
	data, err := os.ReadFile(filepath.Join(path, "checkpoint"))
	if err != nil {
		return nil, err
	}
	tree, err := openTree(data, vkey)
	if err != nil {
		return nil, err
	}
	tiles := &folder{path, map[string][]byte{}}
	hashes := tlog.TileHashReader(tree, tiles)
	found := &reading{Size: tree.N}
	root, err := tlog.TreeHash(tree.N, hashes)
	if err != nil {
		return nil, err
	}
	if root != tree.Hash {
		return nil, fmt.Errorf("the tiles have the root %v", root)
	}
	if found.Entries, err = entries(path, tree.N, hashes); err != nil {
		return nil, err
	}
	step := tree.N/1000 + 1
	for n := int64(0); n < tree.N; n += step {
		proof, err := tlog.ProveRecord(tree.N, n, hashes)
		if err != nil {
			return nil, err
		}
		leaf, err := hashes.ReadHashes([]int64{tlog.StoredHashIndex(0, n)})
		if err != nil {
			return nil, err
		}
		if err := tlog.CheckRecord(proof, tree.N, tree.Hash, n, leaf[0]); err != nil {
			return nil, err
		}
		found.Included++
	}
	for _, name := range older {
		data, err := os.ReadFile(name)
		if err != nil {
			return nil, err
		}
		old, err := openTree(data, vkey)
		if err != nil {
			return nil, err
		}
		proof, err := tlog.ProveTree(tree.N, old.N, hashes)
		if err != nil {
			return nil, err
		}
		if err := tlog.CheckTree(proof, tree.N, tree.Hash, old.N, old.Hash); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		found.Consistent++
	}
	found.Tiles = len(tiles.tiles)
	return found, nil
}

// entries compares the entry bundles with index.jsonl and with the leaves of the tree.
func entries(path string, size int64, hashes tlog.HashReader) (int64, error) {
	index, err := os.ReadFile(filepath.Join(path, "index.jsonl"))
	if err != nil {
		return 0, err
	}
	lines := bytes.Split(bytes.TrimSuffix(index, []byte("\n")), []byte("\n"))
	if int64(len(lines)) != size {
		return 0, fmt.Errorf("index.jsonl has %d lines", len(lines))
	}
	for first := int64(0); first < size; first += 1 << height {
		tile := tlog.Tile{H: height, L: -1, N: first >> height, W: 1 << height}
		if size-first < int64(tile.W) {
			tile.W = int(size - first)
		}
		name := strings.Replace(c2sp(tile), "tile/data/", "tile/entries/", 1)
		bundle, err := os.ReadFile(filepath.Join(path, name))
		if err != nil {
			return 0, err
		}
		var at []int64
		for n := first; n < first+int64(tile.W); n++ {
			at = append(at, tlog.StoredHashIndex(0, n))
		}
		leaves, err := hashes.ReadHashes(at)
		if err != nil {
			return 0, err
		}
		for i := range leaves {
			if len(bundle) < 2 || len(bundle) < 2+int(binary.BigEndian.Uint16(bundle)) {
				return 0, fmt.Errorf("%s ends in entry %d", name, i)
			}
			length := int(binary.BigEndian.Uint16(bundle))
			entry := bundle[2 : 2+length]
			bundle = bundle[2+length:]
			if !bytes.Equal(entry, lines[first+int64(i)]) || tlog.RecordHash(entry) != leaves[i] {
				return 0, fmt.Errorf("%s: entry %d is another", name, i)
			}
		}
		if len(bundle) != 0 {
			return 0, fmt.Errorf("%s goes on", name)
		}
	}
	return size, nil
}

func prove(path, vkey, lineFile string) (string, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return "", err
	}
	line, err := os.ReadFile(lineFile)
	if err != nil {
		return "", err
	}
	head, checkpoint, _ := strings.Cut(string(data), "\n\n")
	tree, err := openTree([]byte(checkpoint), vkey)
	if err != nil {
		return "", err
	}
	lines := strings.Split(head, "\n")
	if lines[0] != "c2sp.org/tlog-proof@v1" {
		return "", fmt.Errorf("no tlog-proof")
	}
	lines = lines[1:]
	if extra := strings.TrimPrefix(lines[0], "extra "); extra != lines[0] {
		if carried, err := base64.StdEncoding.DecodeString(extra); err != nil || !bytes.Equal(carried, line) {
			return "", fmt.Errorf("it carries another record")
		}
		lines = lines[1:]
	}
	var index int64
	if _, err := fmt.Sscanf(lines[0], "index %d", &index); err != nil {
		return "", err
	}
	var proof tlog.RecordProof
	for _, text := range lines[1:] {
		hash, err := tlog.ParseHash(text)
		if err != nil {
			return "", err
		}
		proof = append(proof, hash)
	}
	return "proved", tlog.CheckRecord(proof, tree.N, tree.Hash, index, tlog.RecordHash(line))
}

// stored are the hashes of a tree in memory, as Go numbers them.
type stored []tlog.Hash

func (s stored) ReadHashes(at []int64) ([]tlog.Hash, error) {
	var all []tlog.Hash
	for _, index := range at {
		all = append(all, s[index])
	}
	return all, nil
}

type made struct {
	VKey       string
	Notes      map[int64]string   // by size
	Lines      []string           // the records
	Inclusion  [][]string         // of each record in the whole tree
	Consistent map[int64][]string // from each size to the whole tree
}

func makeLog(path string, size int64) (*made, error) {
	skey, vkey, err := note.GenerateKey(rand.Reader, "example.org/made-by-go")
	if err != nil {
		return nil, err
	}
	signer, err := note.NewSigner(skey)
	if err != nil {
		return nil, err
	}
	log := &made{vkey, map[int64]string{}, nil, nil, map[int64][]string{}}
	var hashes stored
	for n := int64(0); n < size; n++ {
		line := fmt.Sprintf(`{"n":%d}`, n)
		log.Lines = append(log.Lines, line)
		more, err := tlog.StoredHashes(n, []byte(line), hashes)
		if err != nil {
			return nil, err
		}
		hashes = append(hashes, more...)
		root, err := tlog.TreeHash(n+1, hashes)
		if err != nil {
			return nil, err
		}
		text := strings.Replace(string(tlog.FormatTree(tlog.Tree{N: n + 1, Hash: root})), sumdb, signer.Name(), 1)
		signed, err := note.Sign(&note.Note{Text: text}, signer)
		if err != nil {
			return nil, err
		}
		log.Notes[n+1] = string(signed)
	}
	for n := int64(0); n < size; n++ {
		inclusion, err := tlog.ProveRecord(size, n, hashes)
		if err != nil {
			return nil, err
		}
		log.Inclusion = append(log.Inclusion, texts(inclusion))
		consistent, err := tlog.ProveTree(size, n+1, hashes)
		if err != nil {
			return nil, err
		}
		log.Consistent[n+1] = texts(consistent)
	}
	for _, tile := range tlog.NewTiles(height, 0, size) {
		data, err := tlog.ReadTileData(tile, hashes)
		if err != nil {
			return nil, err
		}
		name := filepath.Join(path, c2sp(tile))
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			return nil, err
		}
		if err := os.WriteFile(name, data, 0o644); err != nil {
			return nil, err
		}
	}
	return log, nil
}

func texts(hashes []tlog.Hash) []string {
	all := []string{}
	for _, hash := range hashes {
		all = append(all, hash.String())
	}
	return all
}
