package disasters

import (
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// expansion is the migration by which the next release differs from this one: a column that this release does not know.
const expansion = `-- +goose Up
ALTER TABLE instances ADD COLUMN rehearsed TEXT;

-- +goose Down
ALTER TABLE instances DROP COLUMN rehearsed;
`

// makeNext builds a release after this one from a copy of the source with one migration more.
func makeNext() (string, error) {
	root := filepath.Join(shop.folder, "next")
	for _, part := range []string{"cmd", "internal"} {
		if err := copyTree(filepath.Join("../..", part), filepath.Join(root, part)); err != nil {
			return "", err
		}
	}
	for _, part := range []string{"go.mod", "go.sum"} {
		if err := copyFile(filepath.Join("../..", part), filepath.Join(root, part)); err != nil {
			return "", err
		}
	}
	for _, dialect := range []string{"sqlite", "postgres"} {
		name := filepath.Join(root, "internal/store/migrations", dialect, "00099_rehearsal.sql")
		if err := os.WriteFile(name, []byte(expansion), 0o600); err != nil {
			return "", err
		}
	}
	binary := filepath.Join(shop.folder, "neap-next")
	command := exec.Command("go", "build", "-tags", "crash", "-buildvcs=false", "-ldflags", "-X main.version=next", "-o", binary, "./cmd/neap")
	command.Dir = root
	if out, err := command.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build the next release: %w\n%s", err, out)
	}
	return binary, nil
}

// copyTree copies the files that a build needs.
func copyTree(from, to string) error {
	return filepath.WalkDir(from, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || strings.HasSuffix(path, "_test.go") {
			return err
		}
		below, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		return copyFile(path, filepath.Join(to, below))
	})
}
