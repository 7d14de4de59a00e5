//go:build linux

package process

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	goruntime "runtime"
	"strings"

	"golang.org/x/sys/unix"
)

// rootfs is how a task gets files of its own: an image that stays as it is, and a layer over it, or a copy where the kernel can't lay over.
type rootfs struct {
	Image   string
	Folder  string // of the layer, and where all is mounted
	Overlay bool
	Binds   []bind
}

// bind is a folder of the machine, and where the task finds it.
type bind struct{ From, To string }

// abilities are what this machine lets tasks have. nil = it does.
type abilities struct {
	mounts  error // files of their own
	overlay error // layers over an image, so that it need not be copied
}

// probe tries it, on a thread that ends afterwards and takes its mounts with it.
func probe(folder string) abilities {
	result := make(chan abilities)
	go func() {
		goruntime.LockOSThread() // and never unlocked: the thread ends with this function
		result <- probeHere(folder)
	}()
	return <-result
}

func probeHere(folder string) abilities {
	if os.Geteuid() != 0 {
		err := errors.New("Neap does not run as root")
		return abilities{err, err}
	}
	if err := separate(); err != nil {
		return abilities{err, err}
	}
	place, err := os.MkdirTemp(folder, ".probe-*")
	if err != nil {
		return abilities{err, err}
	}
	defer func() { _ = os.RemoveAll(place) }() // what stays is swept at the next start
	if err := unix.Mount("tmpfs", place, "tmpfs", 0, ""); err != nil {
		return abilities{err, err}
	}
	if err := unix.Unmount(place, 0); err != nil {
		return abilities{err, err}
	}
	r := rootfs{Image: filepath.Join(place, "image"), Folder: filepath.Join(place, "root"), Overlay: true}
	if err := errors.Join(os.Mkdir(r.Image, 0o755), r.prepare(context.Background())); err != nil {
		return abilities{overlay: err}
	}
	if err := r.lay(); err != nil {
		return abilities{overlay: err}
	}
	return abilities{overlay: errors.Join(os.WriteFile(filepath.Join(r.merged(), "try"), nil, 0o600), unix.Unmount(r.merged(), unix.MNT_DETACH))}
}

// separate gives the calling thread mounts of its own.
func separate() error {
	if err := unix.Unshare(unix.CLONE_NEWNS); err != nil {
		return fmt.Errorf("it may not have mounts of its own: %w", err)
	}
	return unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, "")
}

func (r *rootfs) merged() string { return filepath.Join(r.Folder, "merged") }

// prepare makes what can be made without mounts.
func (r *rootfs) prepare(ctx context.Context) error {
	if err := os.Mkdir(r.Folder, 0o700); err != nil {
		return err
	}
	folders := []string{"merged", "upper", "work"}
	if !r.Overlay {
		folders = folders[:1]
	}
	for _, name := range folders {
		folder := filepath.Join(r.Folder, name)
		if err := errors.Join(os.Mkdir(folder, 0o755), os.Chmod(folder, 0o755)); err != nil {
			return err
		}
	}
	if r.Overlay {
		return nil
	}
	return copyTree(ctx, r.Image, r.merged())
}

// lay lays the task's own layer over the image.
func (r *rootfs) lay() error {
	escape := strings.NewReplacer(`\`, `\\`, ":", `\:`, ",", `\,`).Replace
	options := fmt.Sprintf("lowerdir=%s,upperdir=%s,workdir=%s", escape(r.Image), escape(filepath.Join(r.Folder, "upper")), escape(filepath.Join(r.Folder, "work")))
	return unix.Mount("overlay", r.merged(), "overlay", unix.MS_NOSUID|unix.MS_NODEV, options)
}

// mount makes the task's files on the calling thread, and gives the folder that is their root. They go when the last process that sees them ends.
func (r *rootfs) mount(o *order) (string, error) {
	if err := separate(); err != nil {
		return "", err
	}
	merged := r.merged()
	if r.Overlay {
		if err := r.lay(); err != nil {
			return "", fmt.Errorf("laying over the image: %w", err)
		}
	}
	root, err := os.OpenRoot(merged)
	if err != nil {
		return "", err
	}
	defer root.Close()
	for _, b := range append([]bind{{"", "/proc"}, {"", "/dev"}, {"", "/etc"}}, r.Binds...) {
		if err := plainFolder(root, b.To[1:]); err != nil {
			return "", err
		}
		if b.From == "" {
			continue
		}
		if err := unix.Mount(b.From, filepath.Join(merged, b.To), "", unix.MS_BIND, ""); err != nil {
			return "", fmt.Errorf("mounting %s: %w", b.To, err)
		}
	}
	if err := mountDevices(filepath.Join(merged, "dev")); err != nil {
		return "", fmt.Errorf("mounting devices: %w", err)
	}
	const flags = unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC
	proc := filepath.Join(merged, "proc")
	if unix.Mount("proc", proc, "proc", flags, "hidepid=2") != nil {
		_ = unix.Mount("proc", proc, "proc", flags, "") // some containers forbid it; a task then does without
	}
	if err := knowNeighbours(root); err != nil {
		return "", err
	}
	return merged, ownWorkFolder(root, o)
}

// plainFolder makes a folder in the task's layer; a link or file in its way goes, so that nothing is mounted where it leads.
func plainFolder(root *os.Root, name string) error {
	at := "."
	for part := range strings.SplitSeq(name, "/") {
		at = path.Join(at, part)
		info, err := root.Lstat(at)
		if err == nil && info.IsDir() {
			continue
		}
		if err == nil {
			err = root.Remove(at)
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		if err := errors.Join(root.Mkdir(at, 0o755), root.Chmod(at, 0o755)); err != nil {
			return err
		}
	}
	return nil
}

func mountDevices(dev string) error {
	if err := unix.Mount("tmpfs", dev, "tmpfs", unix.MS_NOSUID|unix.MS_NOEXEC, "mode=755,size=64k"); err != nil {
		return err
	}
	for _, name := range []string{"null", "zero", "full", "random", "urandom"} {
		file := filepath.Join(dev, name)
		if err := os.WriteFile(file, nil, 0o600); err != nil {
			return err
		}
		if err := unix.Mount("/dev/"+name, file, "", unix.MS_BIND, ""); err != nil {
			return err
		}
	}
	for name, to := range map[string]string{"fd": "/proc/self/fd", "stdin": "/proc/self/fd/0", "stdout": "/proc/self/fd/1", "stderr": "/proc/self/fd/2"} {
		if err := os.Symlink(to, filepath.Join(dev, name)); err != nil {
			return err
		}
	}
	shared := filepath.Join(dev, "shm")
	if err := os.Mkdir(shared, 0o755); err != nil {
		return err
	}
	return unix.Mount("tmpfs", shared, "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, "mode=1777,size=64m")
}

// knowNeighbours lets names resolve in the task as they do on the machine, whose network it uses.
func knowNeighbours(root *os.Root) error {
	for _, name := range []string{"etc/resolv.conf", "etc/hosts"} {
		content, err := os.ReadFile("/" + name)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		if err := root.RemoveAll(name); err != nil {
			return err
		}
		if err := errors.Join(root.WriteFile(name, content, 0o644), root.Chmod(name, 0o644)); err != nil {
			return err
		}
	}
	return nil
}

// ownWorkFolder makes the folder that the task begins in its own.
func ownWorkFolder(root *os.Root, o *order) error {
	u := unpacker{root: root}
	folder, err := u.resolve(o.Work)
	if err != nil || folder == "." {
		return err
	}
	return root.Lchown(folder, o.UID, o.GID)
}

// copyTree copies files, folders and links with their modes and owners; devices and pipes are left out.
func copyTree(ctx context.Context, from, to string) error {
	source, err := os.OpenRoot(from)
	if err != nil {
		return err
	}
	defer source.Close()
	u := unpacker{}
	if u.root, err = os.OpenRoot(to); err != nil {
		return err
	}
	defer u.root.Close()
	return fs.WalkDir(source.FS(), ".", func(name string, entry fs.DirEntry, err error) error {
		if err = errors.Join(err, ctx.Err()); err != nil || name == "." {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		return copyOne(source, u.root, name, info)
	})
}

func copyOne(source, to *os.Root, name string, info fs.FileInfo) error {
	var stat unix.Stat_t
	switch {
	case info.IsDir():
		if err := to.Mkdir(name, 0o755); err != nil {
			return err
		}
	case info.Mode()&fs.ModeSymlink != 0:
		link, err := source.Readlink(name)
		if err != nil {
			return err
		}
		return to.Symlink(link, name)
	case info.Mode().IsRegular():
		in, err := source.Open(name)
		if err != nil {
			return err
		}
		defer in.Close()
		out, err := to.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
		if err != nil {
			return err
		}
		_, err = io.Copy(out, in)
		if err = errors.Join(err, unix.Fstat(int(in.Fd()), &stat), out.Close()); err != nil {
			return err
		}
		if err := to.Lchown(name, int(stat.Uid), int(stat.Gid)); err != nil {
			return err
		}
	default:
		return nil
	}
	return to.Chmod(name, info.Mode()&(fs.ModePerm|fs.ModeSticky))
}
