// Package process runs tasks as processes of this machine.
//
// It owns the folder of their records and logs, their users, their limits, and the supervisor beside each of them, which outlives Neap. It must not know jobs, nor where
// images come from: an image is the machine itself, a folder or an archive. Start reading at New; shim.go is what happens in the supervisor, adopt.go what happens after
// a restart.
package process

import (
	"log/slog"
)

// Config says how tasks are run.
type Config struct {
	Folder string // made if need be; it belongs to one Neap at a time
	// HostAllowed lets the image "host" run commands on the machine's own files, and any folder or archive of the machine be an image.
	HostAllowed bool
	// Images is a folder whose folders and archives are images for everybody; "" = none.
	Images string
	// User is whom tasks run as: a name, SameUser for Neap's own, or "": an unnamed user of its own for each when Neap runs as root, else Neap's own.
	User string
	// FirstUID and UIDs are the range of users for tasks; 0 = 64,000 and 1,000. No one else may use them, another Neap neither.
	FirstUID, UIDs int
	// Head and Tail are how many bytes of a task's output are kept from its beginning and, at least, of its end; 0 = 8 MiB and 256 KiB.
	Head, Tail int64
	Log        *slog.Logger
	// Shim is the command that ends up in Supervise; none = this binary with ShimArgument.
	Shim []string
}

// ShimArgument is the first argument by which the binary knows that it is to be a supervisor.
const ShimArgument = "task-shim"

// SameUser is Config.User for tasks that run as Neap's own user.
const SameUser = "same"

func (c Config) complete() Config {
	if c.FirstUID == 0 {
		c.FirstUID, c.UIDs = 64_000, 1_000
	}
	if c.Head == 0 {
		c.Head = 8 << 20
	}
	if c.Tail == 0 {
		c.Tail = 256 << 10
	}
	if len(c.Shim) == 0 {
		// By this name the very binary is found that runs, even if an upgrade has replaced its file.
		c.Shim = []string{"/proc/self/exe", ShimArgument}
	}
	return c
}
