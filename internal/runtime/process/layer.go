//go:build linux

package process

import (
	"archive/tar"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
)

// unpacker lays the layers of an image over each other. All it does goes through root, which nothing in an archive can lead out of.
type unpacker struct {
	root    *os.Root
	left    int64 // bytes that may still come
	entries int
	own     bool // owners are kept, which only root can
	fresh   map[string]bool
}

func newUnpacker(folder string) (*unpacker, error) {
	if err := os.Mkdir(folder, 0o755); err != nil {
		return nil, err
	}
	if err := os.Chmod(folder, 0o755); err != nil { // whatever the umask is: tasks begin there
		return nil, err
	}
	root, err := os.OpenRoot(folder)
	return &unpacker{root: root, left: mostUnpacked, own: os.Geteuid() == 0}, err
}

// layer adds one layer, and compares it with its digest.
func (u *unpacker) layer(ctx context.Context, a *archive, name, digest string) error {
	from, err := a.open(name)
	if err != nil {
		return err
	}
	unzipped, done, err := plain(contextReader{ctx, from})
	if err != nil {
		return damagedUnlessOwn(err)
	}
	defer done()
	sum := sha256.New()
	summed := io.TeeReader(unzipped, sum)
	if err := u.apply(tar.NewReader(summed)); err != nil {
		return err
	}
	if _, err := io.Copy(io.Discard, io.LimitReader(summed, mostUnpacked)); err != nil {
		return damagedUnlessOwn(err)
	}
	if got := fmt.Sprintf("sha256:%x", sum.Sum(nil)); got != digest {
		return damaged(fmt.Errorf("its layer %q is not what its configuration says", name))
	}
	return nil
}

const (
	whiteout = ".wh."
	opaque   = ".wh..wh..opq"
)

func (u *unpacker) apply(entries *tar.Reader) error {
	u.fresh = map[string]bool{}
	for {
		header, err := entries.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return damagedUnlessOwn(err)
		}
		if u.entries++; u.entries > mostEntries {
			return damaged(errors.New("it has too many files"))
		}
		if err := u.entry(header, entries); err != nil {
			return err
		}
	}
}

// entry adds, replaces or removes one file.
func (u *unpacker) entry(header *tar.Header, content io.Reader) error {
	name := path.Clean(strings.TrimLeft(header.Name, "/"))
	if slices.Contains(strings.Split(header.Name, "/"), "..") || strings.Contains(name, "\x00") {
		return damaged(fmt.Errorf("it wants to write outside of itself: %q", header.Name))
	}
	if name == "." {
		return nil
	}
	folder, err := u.resolve(path.Dir(name))
	if err != nil {
		return err
	}
	base := path.Base(name)
	target := path.Join(folder, base)
	switch {
	case base == opaque:
		return u.empty(folder)
	case strings.HasPrefix(base, whiteout):
		return u.remove(path.Join(folder, strings.TrimPrefix(base, whiteout)))
	}
	u.remember(target)
	return u.put(header, target, content)
}

// put makes one file, in the place of what is there.
func (u *unpacker) put(header *tar.Header, target string, content io.Reader) error {
	there, err := u.root.Lstat(target)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err == nil && !(there.IsDir() && header.Typeflag == tar.TypeDir) {
		if err := u.root.RemoveAll(target); err != nil {
			return err
		}
		there = nil
	}
	switch header.Typeflag {
	case tar.TypeDir:
		if there == nil || err != nil {
			if err := u.root.Mkdir(target, 0o755); err != nil {
				return err
			}
		}
	case tar.TypeReg:
		if err := u.file(target, content); err != nil {
			return err
		}
	case tar.TypeSymlink:
		if err := u.root.Symlink(header.Linkname, target); err != nil {
			return err
		}
		return u.chown(header, target)
	case tar.TypeLink:
		return u.link(header.Linkname, target)
	default:
		return nil // devices and pipes: a task gets its own devices
	}
	if err := u.chown(header, target); err != nil {
		return err
	}
	// Without the bits that would let it run as its owner.
	return u.root.Chmod(target, header.FileInfo().Mode()&(fs.ModePerm|fs.ModeSticky))
}

func (u *unpacker) chown(header *tar.Header, target string) error {
	if !u.own {
		return nil
	}
	return u.root.Lchown(target, header.Uid, header.Gid)
}

func (u *unpacker) file(target string, content io.Reader) error {
	file, err := u.root.OpenFile(target, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	n, err := io.Copy(file, io.LimitReader(content, u.left+1))
	err = damagedUnlessOwn(err)
	if u.left -= n; err == nil && u.left < 0 {
		err = damaged(errors.New("it is too large"))
	}
	return errors.Join(err, file.Close())
}

func (u *unpacker) link(to, target string) error {
	if slices.Contains(strings.Split(to, "/"), "..") {
		return damaged(fmt.Errorf("it links to what is outside of itself: %q", to))
	}
	folder, err := u.resolve(path.Dir(path.Clean(strings.TrimLeft(to, "/"))))
	if err != nil {
		return err
	}
	err = u.root.Link(path.Join(folder, path.Base(to)), target)
	if errors.Is(err, fs.ErrNotExist) {
		return damaged(fmt.Errorf("it links to %q, which is not there", to))
	}
	return err
}

// remember keeps that this layer made a file, and the folders above it, so that a whiteout in the same layer leaves them.
func (u *unpacker) remember(name string) {
	for ; name != "." && !u.fresh[name]; name = path.Dir(name) {
		u.fresh[name] = true
	}
}

// empty removes what layers below have put into a folder.
func (u *unpacker) empty(folder string) error {
	entries, err := fs.ReadDir(u.root.FS(), folder)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if err := u.remove(path.Join(folder, e.Name())); err != nil {
			return err
		}
	}
	return nil
}

func (u *unpacker) remove(name string) error {
	if u.fresh[name] || name == "." || strings.HasSuffix(name, "/..") || name == ".." {
		return nil
	}
	return u.root.RemoveAll(name)
}

// resolve gives a folder's path without links, following them as a task in the image would: an absolute one begins at the image's root. Missing folders are made.
func (u *unpacker) resolve(folder string) (string, error) {
	at, rest := ".", strings.Split(folder, "/")
	for hops := 0; len(rest) > 0; {
		part := rest[0]
		rest = rest[1:]
		switch part {
		case "", ".":
			continue
		case "..":
			at = path.Dir(at)
			continue
		}
		next := path.Join(at, part)
		info, err := u.root.Lstat(next)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			err = errors.Join(u.root.Mkdir(next, 0o755), u.root.Chmod(next, 0o755)) // whatever the umask is
			at = next
		case err != nil:
		case info.Mode()&fs.ModeSymlink != 0:
			var to string
			if to, err = u.root.Readlink(next); err == nil {
				if hops++; hops > 100 {
					err = damaged(fmt.Errorf("its links go in circles: %q", folder))
				}
				if path.IsAbs(to) {
					at = "."
				}
				rest = append(strings.Split(to, "/"), rest...)
			}
		case !info.IsDir():
			err = damaged(fmt.Errorf("it has something below %q, which is no folder", next))
		default:
			at = next
		}
		if err != nil {
			return "", err
		}
	}
	return at, nil
}
