//go:build linux

package process

import (
	"archive/tar"
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	goruntime "runtime"
	"strings"
	"syscall"
	"time"

	"github.com/klauspost/compress/zstd"
)

// The bounds of what an archive may make of itself on this machine's disk.
const (
	mostUnpacked = 64 << 30 // bytes
	mostEntries  = 2_000_000
	mostManifest = 8 << 20 // bytes of a manifest or configuration
)

// imageConfig is what an image says about tasks in it.
type imageConfig struct {
	Entrypoint, Cmd, Env []string
	WorkingDir           string
}

// stamp tells whether a file is still the one whose digest is known.
type stamp struct {
	device, inode uint64
	size          int64
	changed       time.Time
}

// digest is the SHA-256 of an archive; it is computed once.
func (i *images) digest(ctx context.Context, name string) (string, error) {
	file, err := os.Open(name)
	if err != nil {
		return "", err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return "", err
	}
	is := stamp{size: info.Size(), changed: info.ModTime()}
	if stat, ok := info.Sys().(*syscall.Stat_t); ok {
		is.device, is.inode = uint64(stat.Dev), stat.Ino
	}
	if known, ok := i.digests[is]; ok {
		return known, nil
	}
	sum := sha256.New()
	if _, err := io.Copy(sum, contextReader{ctx, file}); err != nil {
		return "", err
	}
	i.digests[is] = hex.EncodeToString(sum.Sum(nil))
	return i.digests[is], nil
}

type contextReader struct {
	ctx  context.Context
	from io.Reader
}

func (r contextReader) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.from.Read(p)
}

// looksLikeArchive refuses a file that is none by its first bytes.
func looksLikeArchive(name string) error {
	file, err := os.Open(name)
	if err != nil {
		return err
	}
	defer file.Close()
	begin := make([]byte, 512)
	n, err := io.ReadFull(file, begin)
	begin = begin[:n]
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return err
	}
	if isGzip(begin) || isZstd(begin) || n == 512 && string(begin[257:262]) == "ustar" {
		return nil
	}
	return never("The image %s is no archive as docker save or an OCI tool makes it.", name)
}

func isGzip(begin []byte) bool { return bytes.HasPrefix(begin, []byte{0x1f, 0x8b}) }
func isZstd(begin []byte) bool { return bytes.HasPrefix(begin, []byte{0x28, 0xb5, 0x2f, 0xfd}) }

// plain reads what may be compressed.
func plain(from io.Reader) (io.Reader, func(), error) {
	buffered := bufio.NewReaderSize(from, 1<<20)
	begin, err := buffered.Peek(4)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, nil, err
	}
	switch {
	case isGzip(begin):
		unzipped, err := gzip.NewReader(buffered)
		return unzipped, func() {}, err
	case isZstd(begin):
		unzipped, err := zstd.NewReader(buffered, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(256<<20))
		if err != nil {
			return nil, nil, err
		}
		return unzipped, unzipped.Close, nil
	}
	return buffered, func() {}, nil
}

// archive is a tar whose members can be read in any order.
type archive struct {
	file    *os.File
	members map[string][2]int64 // offset and size
}

// openArchive reads the table of an archive; a compressed one is first written to scratch.
func openArchive(ctx context.Context, name, scratch string) (*archive, error) {
	file, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	begin := make([]byte, 4)
	if _, err := io.ReadFull(file, begin); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	if _, err := file.Seek(0, io.SeekStart); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	if isGzip(begin) || isZstd(begin) {
		if file, err = expand(ctx, file, scratch); err != nil {
			return nil, err
		}
	}
	a := &archive{file: file, members: map[string][2]int64{}}
	for entries := tar.NewReader(file); ; {
		header, err := entries.Next()
		if errors.Is(err, io.EOF) {
			return a, nil
		}
		if err == nil && len(a.members) > mostEntries {
			err = errors.New("it has too many members")
		}
		if err != nil {
			return nil, errors.Join(damagedUnlessOwn(err), file.Close())
		}
		at, err := file.Seek(0, io.SeekCurrent) // the reader takes headers only, and skips by seeking
		if err != nil {
			return nil, errors.Join(err, file.Close())
		}
		if header.Typeflag == tar.TypeReg {
			a.members[path.Clean(header.Name)] = [2]int64{at, header.Size}
		}
	}
}

func expand(ctx context.Context, from *os.File, scratch string) (*os.File, error) {
	defer from.Close()
	to, err := os.Create(filepath.Join(scratch, "archive"))
	if err != nil {
		return nil, err
	}
	unzipped, done, err := plain(contextReader{ctx, from})
	if err != nil {
		return nil, errors.Join(damagedUnlessOwn(err), to.Close())
	}
	defer done()
	n, err := io.Copy(to, io.LimitReader(unzipped, mostUnpacked+1))
	err = damagedUnlessOwn(err)
	if err == nil && n > mostUnpacked {
		err = damaged(errors.New("it is too large"))
	}
	if err == nil {
		_, err = to.Seek(0, io.SeekStart)
	}
	if err != nil {
		return nil, errors.Join(err, to.Close())
	}
	return to, nil
}

// damaged is for what no later attempt mends.
func damaged(err error) error {
	return never("The archive can't be used: %v.", err)
}

// damagedUnlessOwn tells an archive's fault from this machine's disk, and from a caller who no longer waits.
func damagedUnlessOwn(err error) error {
	var own *fs.PathError
	if err == nil || errors.As(err, &own) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return damaged(err)
}

func (a *archive) open(name string) (io.Reader, error) {
	member, ok := a.members[path.Clean(name)]
	if !ok {
		return nil, damaged(fmt.Errorf("it has no member %q", name))
	}
	return io.NewSectionReader(a.file, member[0], member[1]), nil
}

func (a *archive) has(name string) bool {
	_, ok := a.members[name]
	return ok
}

// content is a small member; a digest is checked when given.
func (a *archive) content(name, digest string, into any) error {
	from, err := a.open(name)
	if err != nil {
		return err
	}
	text, err := io.ReadAll(io.LimitReader(from, mostManifest+1))
	if err != nil {
		return err
	}
	if len(text) > mostManifest {
		return damaged(fmt.Errorf("%q is too large", name))
	}
	if digest != "" && fmt.Sprintf("sha256:%x", sha256.Sum256(text)) != digest {
		return damaged(fmt.Errorf("the content of %q is not what its name says", name))
	}
	if err := json.Unmarshal(text, into); err != nil {
		return damaged(fmt.Errorf("%q: %w", name, err))
	}
	return nil
}

// manifest is which members an image is made of.
type manifest struct {
	config, digest string // member, and its digest if known
	layers         []string
}

type descriptor struct {
	Digest   string `json:"digest"`
	Platform *struct {
		OS           string `json:"os"`
		Architecture string `json:"architecture"`
	} `json:"platform"`
}

var digestForm = regexp.MustCompile(`^sha256:[0-9a-f]{64}$`)

func (d descriptor) member() (string, error) {
	if !digestForm.MatchString(d.Digest) {
		return "", damaged(fmt.Errorf("it names %q, which is no SHA-256 digest", d.Digest))
	}
	return "blobs/sha256/" + strings.TrimPrefix(d.Digest, "sha256:"), nil
}

// manifest reads either form: what an OCI tool writes, or docker save. Newer ones of the latter are both; the digests of the former are checked, so it goes first.
func (a *archive) manifest() (manifest, error) {
	if a.has("index.json") {
		return a.index("index.json", "", 0)
	}
	var list []struct {
		Config string
		Layers []string
	}
	if !a.has("manifest.json") {
		return manifest{}, damaged(errors.New("it holds neither index.json nor manifest.json, so it is no image"))
	}
	if err := a.content("manifest.json", "", &list); err != nil {
		return manifest{}, err
	}
	if len(list) != 1 {
		return manifest{}, damaged(fmt.Errorf("it holds %d images, want one", len(list)))
	}
	return manifest{config: list[0].Config, layers: list[0].Layers}, nil
}

// index follows an OCI index to the one manifest for this machine.
func (a *archive) index(name, digest string, depth int) (manifest, error) {
	var of struct {
		Manifests []descriptor `json:"manifests"`
		Config    descriptor   `json:"config"`
		Layers    []descriptor `json:"layers"`
	}
	if err := a.content(name, digest, &of); err != nil || depth > 4 {
		return manifest{}, errors.Join(err, damagedWhen(depth > 4, "its index goes in circles"))
	}
	if len(of.Manifests) == 0 {
		return of.Config.manifest(of.Layers)
	}
	fitting := of.Manifests[:0:0]
	for _, m := range of.Manifests {
		if m.Platform == nil || m.Platform.OS == "linux" && m.Platform.Architecture == goruntime.GOARCH {
			fitting = append(fitting, m)
		}
	}
	if len(fitting) != 1 {
		return manifest{}, damaged(fmt.Errorf("it holds %d images for linux/%s, want one", len(fitting), goruntime.GOARCH))
	}
	member, err := fitting[0].member()
	if err != nil {
		return manifest{}, err
	}
	return a.index(member, fitting[0].Digest, depth+1)
}

func damagedWhen(is bool, what string) error {
	if is {
		return damaged(errors.New(what))
	}
	return nil
}

func (d descriptor) manifest(layers []descriptor) (manifest, error) {
	config, err := d.member()
	if err != nil {
		return manifest{}, err
	}
	m := manifest{config: config, digest: d.Digest}
	for _, l := range layers {
		member, err := l.member()
		if err != nil {
			return manifest{}, err
		}
		m.layers = append(m.layers, member)
	}
	return m, nil
}

// unpack makes the files of an archive's image in the folder "files" below scratch. Every layer must be what the image's configuration says.
func unpack(ctx context.Context, name, scratch string) (c imageConfig, err error) {
	a, err := openArchive(ctx, name, scratch)
	if err != nil {
		return c, err
	}
	defer a.file.Close()
	m, err := a.manifest()
	if err != nil {
		return c, err
	}
	var config struct {
		Config imageConfig `json:"config"`
		RootFS struct {
			Layers []string `json:"diff_ids"`
		} `json:"rootfs"`
	}
	if err := a.content(m.config, m.digest, &config); err != nil {
		return c, err
	}
	if len(config.RootFS.Layers) != len(m.layers) {
		return c, damaged(fmt.Errorf("it has %d layers, and its configuration names %d", len(m.layers), len(config.RootFS.Layers)))
	}
	u, err := newUnpacker(filepath.Join(scratch, "files"))
	if err != nil {
		return c, err
	}
	defer u.root.Close()
	for i, layer := range m.layers {
		if err := u.layer(ctx, a, layer, config.RootFS.Layers[i]); err != nil {
			return c, err
		}
	}
	if err := os.RemoveAll(filepath.Join(scratch, "archive")); err != nil {
		return c, err
	}
	return config.Config, nil
}
