// Package internal_test holds the rules of the house: who may import whom, how long a function may grow, what every package says of itself.
//
// It owns rules about source text and must not know what any room does. Start reading at the table of rooms in arch_test.go.
package internal_test

import (
	"bytes"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

const module = "github.com/neap-cloud/neap"

// source is one parsed Go file.
type source struct {
	path   string // below the root, with slashes: "internal/op/row.go"
	nested bool   // belongs to a module of its own
	syntax *ast.File
	lines  int
}

func (s *source) isTest() bool { return strings.HasSuffix(s.path, "_test.go") }

// dir is the folder: "internal/op".
func (s *source) dir() string { return path.Dir(s.path) }

// isGenerated follows the convention that the Go tools follow.
func (s *source) isGenerated() bool { return ast.IsGenerated(s.syntax) }

// tree is the repository's Go source.
type tree struct {
	files *token.FileSet
	all   []*source
}

// written are the files that people write for the product: no tests, nothing generated, no nested modules.
func (t *tree) written() []*source {
	var written []*source
	for _, s := range t.all {
		if !s.isTest() && !s.isGenerated() && !s.nested {
			written = append(written, s)
		}
	}
	return written
}

// packages are the written files by folder, in order of folders.
func (t *tree) packages() ([]string, map[string][]*source) {
	byDir := map[string][]*source{}
	for _, s := range t.written() {
		byDir[s.dir()] = append(byDir[s.dir()], s)
	}
	var dirs []string
	for dir := range byDir {
		dirs = append(dirs, dir)
	}
	slices.Sort(dirs)
	return dirs, byDir
}

func (t *tree) line(node ast.Node) int { return t.files.Position(node.Pos()).Line }

// length is the number of lines from a node's first to its last.
func (t *tree) length(node ast.Node) int { return t.files.Position(node.End()).Line - t.line(node) + 1 }

// parse adds one file; tests of the rules use it with source of their own.
func (t *tree) parse(name string, content []byte) error {
	syntax, err := parser.ParseFile(t.files, name, content, parser.ParseComments)
	if err != nil {
		return err
	}
	t.all = append(t.all, &source{path: name, syntax: syntax, lines: bytes.Count(content, []byte("\n"))})
	return nil
}

func newTree() *tree { return &tree{files: token.NewFileSet()} }

// example is a tree of the given files, for tests of the rules themselves.
func example(t *testing.T, files map[string]string) *tree {
	t.Helper()
	made := newTree()
	for name, content := range files {
		if err := made.parse(name, []byte(content)); err != nil {
			t.Fatal(err)
		}
	}
	return made
}

// readRepository parses every Go file below the root once for all tests.
var readRepository = sync.OnceValues(func() (*tree, error) {
	read := newTree()
	err := walk("..", func(name string) error {
		if !strings.HasSuffix(name, ".go") {
			return nil
		}
		content, err := os.ReadFile(filepath.Join("..", name))
		if err != nil {
			return err
		}
		if err := read.parse(name, content); err != nil {
			return err
		}
		read.all[len(read.all)-1].nested = inNestedModule(name)
		return nil
	})
	return read, err
})

func repository(t *testing.T) *tree {
	t.Helper()
	read, err := readRepository()
	if err != nil {
		t.Fatal(err)
	}
	return read
}

// walk visits the files that belong to the repository, by their path below root.
func walk(root string, visit func(name string) error) error {
	return filepath.WalkDir(root, func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		below, err := filepath.Rel(root, name)
		if err != nil {
			return err
		}
		below = filepath.ToSlash(below)
		if entry.IsDir() {
			// What .gitignore leaves out, and Git's own folder.
			if slices.Contains([]string{".git", ".cache", "bin", "neap-data", "node_modules"}, entry.Name()) {
				return filepath.SkipDir
			}
			return nil
		}
		return visit(below)
	})
}

func inNestedModule(name string) bool {
	for dir := path.Dir(name); dir != "."; dir = path.Dir(dir) {
		if _, err := os.Stat(filepath.Join("..", dir, "go.mod")); err == nil {
			return true
		}
	}
	return false
}
