package process_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	goruntime "runtime"
	"slices"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"
	"pgregory.net/rapid"

	"github.com/neap-cloud/neap/internal/runtime"
	"github.com/neap-cloud/neap/internal/runtime/process"
)

// member is one entry of a layer.
type member struct {
	name    string
	kind    byte // 0 = a file
	link    string
	content string
	mode    int64 // 0 = 0755
}

func tarOf(t testing.TB, members ...member) []byte {
	t.Helper()
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	for _, m := range members {
		if m.kind == 0 {
			m.kind = tar.TypeReg
		}
		if m.mode == 0 {
			m.mode = 0o755
		}
		if err := w.WriteHeader(&tar.Header{Name: m.name, Typeflag: m.kind, Linkname: m.link, Mode: m.mode, Size: int64(len(m.content))}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(m.content)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func zipped(t testing.TB, content []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	if _, err := w.Write(content); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func zstandard(t testing.TB, content []byte) []byte {
	t.Helper()
	w, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	return w.EncodeAll(content, nil)
}

func same(_ testing.TB, content []byte) []byte { return content }

func digest(content []byte) string { return fmt.Sprintf("sha256:%x", sha256.Sum256(content)) }

// described is an image's configuration.
func described(t testing.TB, config string, layers [][]byte) []byte {
	t.Helper()
	var ids []string
	for _, l := range layers {
		ids = append(ids, digest(l))
	}
	list, err := json.Marshal(ids)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Appendf(nil, `{"config":%s,"rootfs":{"type":"layers","diff_ids":%s}}`, config, list)
}

// saved is an archive as docker save made it for many years.
func saved(t testing.TB, config string, layers ...[]byte) []byte {
	t.Helper()
	var names []string
	members := []member{{name: "./config.json", content: string(described(t, config, layers))}}
	for i, l := range layers {
		names = append(names, fmt.Sprintf("%d/layer.tar", i))
		members = append(members, member{name: names[i], content: string(l)})
	}
	list, err := json.Marshal(names)
	if err != nil {
		t.Fatal(err)
	}
	return tarOf(t, append(members, member{name: "manifest.json", content: fmt.Sprintf(`[{"Config":"config.json","RepoTags":["x:y"],"Layers":%s}]`, list)})...)
}

// oci is an archive in OCI form, with an index in an index, as tools make them for several machines.
func oci(t testing.TB, pack func(testing.TB, []byte) []byte, config string, layers ...[]byte) []byte {
	t.Helper()
	var members []member
	blob := func(content []byte) string {
		members = append(members, member{name: "blobs/sha256/" + strings.TrimPrefix(digest(content), "sha256:"), content: string(content)})
		return fmt.Sprintf(`"digest":%q,"size":%d`, digest(content), len(content))
	}
	var list []string
	for _, l := range layers {
		list = append(list, "{"+blob(pack(t, l))+"}")
	}
	manifest := blob(fmt.Appendf(nil, `{"schemaVersion":2,"config":{%s},"layers":[%s]}`, blob(described(t, config, layers)), strings.Join(list, ",")))
	other := blob([]byte(`{}`))
	index := blob(fmt.Appendf(nil, `{"manifests":[{%s,"platform":{"os":"linux","architecture":"s390x"}},{%s,"platform":{"os":"linux","architecture":%q}}]}`, other, manifest, goruntime.GOARCH))
	return tarOf(t, append(members, member{name: "oci-layout", content: `{}`}, member{name: "index.json", content: fmt.Sprintf(`{"manifests":[{%s}]}`, index)})...)
}

// shell is a layer with a shell and a few tools of this machine, and the libraries that they need.
func shell(t testing.TB) []member {
	t.Helper()
	members := []member{{name: "bin/", kind: tar.TypeDir}, {name: "etc/", kind: tar.TypeDir}, {name: "etc/passwd", content: "root:x:0:0::/:/bin/sh\n"}}
	seen := map[string]bool{}
	add := func(name, from string) {
		content, err := os.ReadFile(from)
		if err != nil {
			t.Fatal(err)
		}
		if !seen[name] {
			members = append(members, member{name: name, content: string(content)})
		}
		seen[name] = true
	}
	for _, tool := range []string{"sh", "ls", "cat", "id", "readlink", "touch"} {
		found, err := exec.LookPath(tool)
		if err != nil {
			t.Fatal(err)
		}
		add("bin/"+tool, found)
		needs, err := exec.Command("ldd", found).Output()
		if err != nil {
			t.Fatal(err)
		}
		for _, library := range regexp.MustCompile(`/\S+`).FindAllString(string(needs), -1) {
			add(library[1:], library)
		}
	}
	return members
}

func file(t testing.TB, content []byte) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "image.tar")
	if err := os.WriteFile(name, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

func TestAnArchiveRunsAsItsConfigurationSays(t *testing.T) {
	base := tarOf(t, append(shell(t), member{name: "gone", content: "x"}, member{name: "dir/old", content: "x"}, member{name: "dir/stays/below", content: "x"},
		member{name: "absolute", kind: tar.TypeSymlink, link: "/dir"}, member{name: "is-a-file", content: "x"})...)
	upper := tarOf(t, member{name: ".wh.gone"}, member{name: "absolute/.wh.old"}, member{name: "dir/new", content: "of the second layer"},
		member{name: "linked", kind: tar.TypeLink, link: "absolute/new"}, member{name: "is-a-file/", kind: tar.TypeDir}, member{name: "suid", content: "x", mode: 0o4755})
	config := `{"Entrypoint":["sh","-c"],"Cmd":["exec 2>&1; echo $GREETING; pwd; ls /dir; cat /linked; echo; ls -d /gone; ls -ld /is-a-file /suid"],"Env":["GREETING=hello","PATH=/bin"],"WorkingDir":"/srv/of-its-own","User":"1000"}`
	for name, content := range map[string][]byte{
		"docker save":         saved(t, config, base, upper),
		"docker save, gzip":   zipped(t, saved(t, config, base, upper)),
		"OCI":                 oci(t, same, config, base, upper),
		"OCI, gzip layers":    oci(t, zipped, config, base, upper),
		"OCI, zstd layers":    oci(t, zstandard, config, base, upper),
		"OCI, zstd and gzip":  zstandard(t, oci(t, zipped, config, base, upper)),
		"layers with ./ etc.": saved(t, config, base, tarOf(t, member{name: "./", kind: tar.TypeDir}), upper),
	} {
		t.Run(name, func(t *testing.T) {
			r := open(t, process.Config{Folder: reachable(t)})
			spec := runtime.Spec{ID: "t", Image: file(t, content)}
			task, lines := run(t, r, spec)
			if got := strings.Join(lines, "\n"); len(lines) < 7 || !strings.HasPrefix(got, "hello\n/srv/of-its-own\nnew\nstays\nof the second layer") ||
				!strings.Contains(got, "drwxr-xr-x") || !strings.Contains(got, "-rwxr-xr-x") || !strings.Contains(got, "/gone") {
				t.Errorf("%+v wrote\n%s", task, got)
			}
		})
	}
}

func TestATaskInAnImageHasItsOwnFilesAndDevices(t *testing.T) {
	for name, overlay := range map[string]error{"overlay": nil, "copy": errors.New("there is none")} {
		t.Run(name, func(t *testing.T) {
			r := open(t, process.Config{Folder: reachable(t)})
			if overlay != nil {
				r.WithoutOverlay(overlay)
			}
			image := t.TempDir()
			for _, m := range shell(t) {
				target := filepath.Join(image, m.name)
				if m.kind == tar.TypeDir {
					target = filepath.Join(target, "x")
				}
				if err := errors.Join(os.MkdirAll(filepath.Dir(target), 0o755), os.WriteFile(target, []byte(m.content), 0o755)); err != nil {
					t.Fatal(err)
				}
			}
			// Wherever Neap mounts something, this image leads elsewhere.
			outside := t.TempDir()
			for _, name := range []string{"neap", "proc", "dev"} {
				if err := os.Symlink(outside, filepath.Join(image, name)); err != nil {
					t.Fatal(err)
				}
			}
			before := listing(t, image)
			spec := runtime.Spec{ID: "t", Image: image, Checkpoint: "c", Command: []string{"sh", "-c", `pwd; echo $HOME $TMPDIR $NEAP_CHECKPOINT_DIR; echo x >here; echo kept >$NEAP_CHECKPOINT_DIR/at; touch /dev/shm/x $TMPDIR/y
				id -u; readlink /proc/self/fd/0; echo x >/dev/null; ls / ; cat /etc/hosts >/dev/null && echo hosts; ls /home 2>/dev/null; echo >/etc/passwd || echo unwritable; exit 3`}}
			task, lines := run(t, r, spec)
			got := strings.Join(lines, " ")
			if task.Exit.Code != 3 || !strings.HasPrefix(got, "/neap/work /neap/work /neap/tmp /neap/checkpoint 640") || !strings.Contains(got, "/dev/null") ||
				!strings.Contains(got, "hosts") || !strings.Contains(got, "unwritable") || strings.Contains(got, "usr sys") {
				t.Errorf("%+v wrote %s", task, got)
			}
			if after := listing(t, image); !slices.Equal(before, after) {
				t.Errorf("the image was changed: %q, before %q", after, before)
			}
			if found := listing(t, outside); len(found) != 1 {
				t.Errorf("a link in the image led outside: %q", found)
			}
			spec.ID = "u"
			spec.Command = []string{"sh", "-c", "cat $NEAP_CHECKPOINT_DIR/at; ls"}
			if _, lines := run(t, r, spec); !slices.Equal(lines, []string{"kept"}) {
				t.Errorf("the next one finds %q", lines)
			}
		})
	}
}

// listing are the names and modes of all files below a folder.
func listing(t testing.TB, folder string) []string {
	t.Helper()
	var all []string
	err := filepath.WalkDir(folder, func(name string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := e.Info()
		if err == nil {
			all = append(all, fmt.Sprint(name, info.Mode()))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func refusal(t testing.TB, err error) string {
	t.Helper()
	var refused *runtime.Refusal
	if !errors.As(err, &refused) || refused.Kind != runtime.Never {
		t.Errorf("%v is no refusal for good", err)
		return ""
	}
	return refused.Message
}

func TestAnImageThatCanNotBeRunIsRefusedWithAReason(t *testing.T) {
	images := t.TempDir()
	inside, outside := filepath.Join(images, "a"), t.TempDir()
	if err := errors.Join(os.Mkdir(inside, 0o755), os.Symlink(outside, filepath.Join(images, "link")), os.WriteFile(filepath.Join(images, "text"), []byte("no archive"), 0o600)); err != nil {
		t.Fatal(err)
	}
	public, err := process.New(process.Config{Folder: reachable(t), Images: images, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = public.Close() })
	private := open(t, process.Config{Folder: reachable(t)})
	for _, c := range []struct {
		on    *process.Runtime
		image string
		want  string // "" = it is fine
	}{
		{public, "host", "may not run on this machine itself"},
		{private, "host", ""},
		{public, "hello-world:linux", "has no image \"hello-world:linux\" and fetches none"},
		{private, "hello-world:linux", "docker save"},
		{private, "./folder", "fetches none"},
		{public, inside, ""},
		{public, outside, "may not be used"},
		{public, "/", "may not be used"},
		{public, images, "may not be used"},
		{public, filepath.Join(images, "link"), "may not be used"},
		{public, images + "/../" + filepath.Base(outside), "may not be used"},
		{public, filepath.Join(images, "missing"), "has no image"},
		{public, filepath.Join(images, "text"), "no archive"},
		{private, outside, ""},
		{private, "/dev/null", "neither a folder nor an archive"},
	} {
		spec := runtime.Spec{ID: "t", Image: c.image, Command: []string{"true"}}
		err := c.on.Check(t.Context(), spec)
		if c.want == "" {
			if err != nil {
				t.Errorf("%s: %v", c.image, err)
			}
			continue
		}
		if got := refusal(t, err); !strings.Contains(got, c.want) {
			t.Errorf("%s: %q, want %q", c.image, got, c.want)
		}
		if got := refusal(t, c.on.Start(t.Context(), spec)); !strings.Contains(got, c.want) {
			t.Errorf("Start of %s: %q", c.image, got)
		}
	}
}

func TestADamagedArchiveIsRefusedForGoodAndLeavesNothing(t *testing.T) {
	fine := tarOf(t, member{name: "x", content: "x"})
	r := open(t, process.Config{Folder: reachable(t)})
	good := oci(t, same, `{}`, fine)
	flipped := bytes.Replace(good, []byte(`"rootfs"`), []byte(`"rootFS"`), 1)
	for name, content := range map[string][]byte{
		"cut short":            good[:len(good)/2],
		"changed":              flipped,
		"no image":             fine,
		"another layer":        bytes.Replace(saved(t, `{}`, fine), []byte("sha256:"), []byte("sha256:0"), 1),
		"a link in circles":    saved(t, `{}`, tarOf(t, member{name: "a", kind: tar.TypeSymlink, link: "a"}, member{name: "a/b", content: "x"})),
		"upwards":              saved(t, `{}`, tarOf(t, member{name: "../../x", content: "x"})),
		"a hard link upwards":  saved(t, `{}`, tarOf(t, member{name: "x", kind: tar.TypeLink, link: "../../etc/passwd"})),
		"a link to nothing":    saved(t, `{}`, tarOf(t, member{name: "x", kind: tar.TypeLink, link: "y"})),
		"below a file":         saved(t, `{}`, tarOf(t, member{name: "x", content: "x"}, member{name: "x/y", content: "x"})),
		"without a command":    saved(t, `{}`, fine),
		"half of a gzip":       zipped(t, good)[:300],
		"a digest that is not": tarOf(t, member{name: "index.json", content: `{"manifests":[{"digest":"sha256:../../../etc/passwd"}]}`}),
	} {
		spec := runtime.Spec{ID: "t", Image: file(t, content)}
		if message := refusal(t, r.Start(t.Context(), spec)); message == "" {
			t.Error(name)
		}
		if _, known := find(t, r, "t"); known {
			t.Errorf("%s: it began", name)
		}
	}
}

// Whatever an archive holds, nothing outside of its folder is written, removed or changed.
func TestNoArchiveReachesOutsideOfItself(t *testing.T) {
	outside := t.TempDir()
	if err := os.WriteFile(filepath.Join(outside, "kept"), []byte("kept"), 0o644); err != nil {
		t.Fatal(err)
	}
	before := listing(t, outside)
	rapid.Check(t, func(c *rapid.T) {
		part := rapid.SampledFrom([]string{"a", "b", "..", ".", "", "kept", ".wh.a", ".wh..wh..opq", ".wh...", ".wh.", outside, "/"})
		text := func(label string) string { return strings.Join(rapid.SliceOfN(part, 1, 4).Draw(c, label), "/") }
		var layers [][]byte
		for range rapid.IntRange(1, 3).Draw(c, "layers") {
			var members []member
			for range rapid.IntRange(1, 8).Draw(c, "members") {
				m := member{name: text("name"), kind: rapid.SampledFrom([]byte{tar.TypeReg, tar.TypeDir, tar.TypeSymlink, tar.TypeLink}).Draw(c, "kind"), mode: 0o777}
				switch m.kind {
				case tar.TypeReg:
					m.content, m.name = "overwritten", strings.TrimRight(m.name, "/")+"x"
				case tar.TypeSymlink, tar.TypeLink:
					m.link = text("link")
				}
				members = append(members, m)
			}
			layers = append(layers, tarOf(t, members...))
		}
		folder, err := os.MkdirTemp(outside, "unpacked")
		if err != nil {
			c.Fatal(err)
		}
		image := filepath.Join(folder, "image")
		if err := os.WriteFile(image, saved(t, `{}`, layers...), 0o600); err != nil {
			c.Fatal(err)
		}
		if err := process.Unpack(context.Background(), image, folder); err != nil && !strings.Contains(err.Error(), "archive can't be used") {
			c.Logf("%v", err)
		}
		if err := os.RemoveAll(folder); err != nil {
			c.Fatal(err)
		}
		content, err := os.ReadFile(filepath.Join(outside, "kept"))
		if after := listing(t, outside); err != nil || string(content) != "kept" || !slices.Equal(before, after) {
			c.Fatalf("%q, before %q; %q, %v", after, before, content, err)
		}
	})
}
