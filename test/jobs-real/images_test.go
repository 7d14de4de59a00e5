package jobsreal

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"testing"
)

// images are the same image as a folder, and as the archive that docker save makes of it.
func images(t *testing.T) (folder, archive string) {
	t.Helper()
	program, err := os.ReadFile(build(t, "./testdata/hello"))
	if err != nil {
		t.Fatal(err)
	}
	top := shared(t)
	folder, archive = filepath.Join(top, "image"), filepath.Join(top, "image.tar")
	if err := os.MkdirAll(filepath.Join(folder, "bin"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(folder, "bin", "hello"), program, 0o755); err != nil {
		t.Fatal(err)
	}
	layer := tape(t, map[string][]byte{"bin/hello": program})
	config := fmt.Appendf(nil, `{"architecture":%q,"os":"linux","rootfs":{"type":"layers","diff_ids":["sha256:%x"]}}`, runtime.GOARCH, sha256.Sum256(layer))
	saved := tape(t, map[string][]byte{
		"config.json": config, "one/layer.tar": layer,
		"manifest.json": []byte(`[{"Config":"config.json","RepoTags":["hello:1"],"Layers":["one/layer.tar"]}]`),
	})
	if err := os.WriteFile(archive, saved, 0o644); err != nil {
		t.Fatal(err)
	}
	return folder, archive
}

func tape(t *testing.T, files map[string][]byte) []byte {
	t.Helper()
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	for name, content := range files {
		if err := w.WriteHeader(&tar.Header{Name: name, Mode: 0o755, Size: int64(len(content))}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(content); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}
