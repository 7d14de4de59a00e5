//go:build linux

package process

import (
	"fmt"
	stdruntime "runtime"

	"golang.org/x/sys/unix"

	"github.com/neap-cloud/neap/internal/runtime"
)

// Supported is whether tasks can run as processes here.
const Supported = true

// Machine is what this machine has.
func Machine() (runtime.Resources, error) {
	var found unix.Sysinfo_t
	if err := unix.Sysinfo(&found); err != nil {
		return runtime.Resources{}, fmt.Errorf("find out how much memory this machine has: %w", err)
	}
	return runtime.Resources{MilliCPU: int64(stdruntime.NumCPU()) * 1000, MemoryMiB: int64(found.Totalram) * int64(found.Unit) >> 20}, nil
}
