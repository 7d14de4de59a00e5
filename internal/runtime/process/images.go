//go:build linux

package process

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/neap-cloud/neap/internal/runtime"
)

// hostImage is the machine itself.
const hostImage = "host"

// images are what tasks can run in: the machine itself, folders, and archives, which are unpacked once each.
type images struct {
	config    Config
	places    places
	able      abilities
	unpacking sync.Mutex // one archive at a time
	digests   map[stamp]string
}

func newImages(c Config, p places) *images {
	return &images{config: c, places: p, able: probe(p.images), digests: map[stamp]string{}}
}

// summary says which images can be run, in a few words.
func (i *images) summary() string {
	var kinds []string
	if i.config.HostAllowed {
		kinds = append(kinds, `"host"`)
	}
	switch {
	case i.able.mounts != nil:
	case i.config.HostAllowed:
		kinds = append(kinds, "a folder with a root file system, or an archive made by docker save or in OCI form, by its absolute path")
	case i.config.Images != "":
		kinds = append(kinds, "a folder or archive in "+i.config.Images+", by its absolute path")
	}
	if len(kinds) == 0 {
		return "none"
	}
	return strings.Join(kinds, "; ")
}

// sweep removes what an unpacking that was cut short has left.
func (i *images) sweep() error {
	entries, err := os.ReadDir(i.places.images)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), ".") {
			if err := os.RemoveAll(filepath.Join(i.places.images, e.Name())); err != nil {
				return err
			}
		}
	}
	return nil
}

// check refuses an image that can't be run here, whatever happens.
func (i *images) check(spec runtime.Spec) error {
	if spec.Image == hostImage {
		if !i.config.HostAllowed {
			return never(`Jobs may not run on this machine itself (the image "host"): Neap listens for other machines. Images that it runs: %s.`, i.summary())
		}
		if len(spec.Command) == 0 || spec.Command[0] == "" {
			return never("A job on this machine itself needs a command.")
		}
		return nil
	}
	if !filepath.IsAbs(spec.Image) {
		return never("This machine has no image %q and fetches none. Images that it runs: %s.", spec.Image, i.summary())
	}
	name, err := filepath.EvalSymlinks(spec.Image)
	if err != nil || !i.allowed(name) {
		// Whether a file is there that may not be used is nobody's business.
		return never("This machine has no image %s, or it may not be used. Images that it runs: %s.", spec.Image, i.summary())
	}
	if i.able.mounts != nil {
		return never("This machine runs no images but itself, as it can't give a task files of its own: %v.", i.able.mounts)
	}
	info, err := os.Stat(name)
	if err != nil {
		return err
	}
	if info.IsDir() {
		if len(spec.Command) == 0 {
			return never("The image %s is a folder, so the job has to say which command to run.", spec.Image)
		}
		return nil
	}
	if !info.Mode().IsRegular() {
		return never("The image %s is neither a folder nor an archive.", spec.Image)
	}
	return looksLikeArchive(name)
}

func (i *images) allowed(name string) bool {
	if i.config.HostAllowed {
		return true
	}
	if i.config.Images == "" {
		return false
	}
	top, err := filepath.EvalSymlinks(i.config.Images)
	if err != nil {
		return false
	}
	below, err := filepath.Rel(top, name)
	return err == nil && below != "." && filepath.IsLocal(below)
}

// Where a task with files of its own finds what is not its image's.
const (
	ownWork       = "/neap/work"
	ownTemporary  = "/neap/tmp"
	ownCheckpoint = "/neap/checkpoint"
)

// furnish gives a task files of its own, and what its image says about it.
func (i *images) furnish(ctx context.Context, o *order, env environment, spec runtime.Spec, checkpoint string) error {
	name, err := filepath.EvalSymlinks(spec.Image)
	if err != nil {
		return err
	}
	work := i.places.workOf(o.ID)
	root := &rootfs{Image: name, Folder: filepath.Join(o.Folder, "root"), Overlay: i.able.overlay == nil}
	root.Binds = []bind{{filepath.Join(work, "work"), ownWork}, {filepath.Join(work, "tmp"), ownTemporary}}
	o.Work, env["HOME"], env["TMPDIR"] = ownWork, ownWork, ownTemporary
	if checkpoint != "" {
		root.Binds = append(root.Binds, bind{checkpoint, ownCheckpoint})
		env["NEAP_CHECKPOINT_DIR"] = ownCheckpoint
	}
	info, err := os.Stat(name)
	if err != nil {
		return err
	}
	if !info.IsDir() {
		var of imageConfig
		if root.Image, of, err = i.unpacked(ctx, name); err != nil {
			return err
		}
		if err := of.apply(o, env, spec.Image); err != nil {
			return err
		}
	}
	o.Root = root
	return root.prepare(ctx)
}

// apply is what an image says about tasks in it. Its user is left out: that number may be somebody on this machine.
func (c imageConfig) apply(o *order, env environment, image string) error {
	if len(o.Command) == 0 {
		o.Command = c.Cmd
	}
	o.Command = append(append([]string{}, c.Entrypoint...), o.Command...)
	if len(o.Command) == 0 || o.Command[0] == "" {
		return never("The image %s names no command, and the job neither.", image)
	}
	for _, e := range c.Env {
		if name, value, ok := strings.Cut(e, "="); ok && name != "" && !strings.Contains(e, "\x00") {
			env[name] = value
		}
	}
	if c.WorkingDir != "" {
		o.Work = filepath.Join("/", c.WorkingDir)
	}
	return nil
}

// unpacked gives the folder of an archive's files, unpacking it if nobody has.
func (i *images) unpacked(ctx context.Context, name string) (folder string, c imageConfig, err error) {
	i.unpacking.Lock()
	defer i.unpacking.Unlock()
	digest, err := i.digest(ctx, name)
	if err != nil {
		return "", c, err
	}
	place := filepath.Join(i.places.images, digest)
	err = read(filepath.Join(place, "config"), &c)
	if err == nil {
		return filepath.Join(place, "files"), c, nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return "", c, err
	}
	scratch, err := os.MkdirTemp(i.places.images, ".unpacking-*")
	if err != nil {
		return "", c, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(scratch)) }()
	if c, err = unpack(ctx, name, scratch); err != nil {
		return "", c, fmt.Errorf("unpacking the image %s: %w", name, err)
	}
	if err := write(filepath.Join(scratch, "config"), c, true); err != nil {
		return "", c, err
	}
	if err := os.Rename(scratch, place); err != nil {
		return "", c, err
	}
	return filepath.Join(place, "files"), c, syncFolder(i.places.images)
}
