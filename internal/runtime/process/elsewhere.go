//go:build !linux

package process

import (
	"errors"

	"github.com/neap-cloud/neap/internal/runtime"
)

// Runtime is there on Linux only.
type Runtime struct{ runtime.Runtime }

// New fails: control groups, supervisors and users of tasks are Linux's.
func New(Config) (*Runtime, error) {
	return nil, errors.New("tasks can run as processes on Linux only; use Docker on this machine")
}

// Close does nothing.
func (*Runtime) Close() error { return nil }

// Supervise does nothing.
func Supervise() int { return 1 }
