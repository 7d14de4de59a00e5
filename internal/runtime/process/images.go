//go:build linux

package process

import (
	"context"

	"github.com/neap-cloud/neap/internal/runtime"
)

// hostImage is the machine itself.
const hostImage = "host"

type images struct {
	config Config
}

func newImages(c Config, _ places) *images { return &images{config: c} }

func (i *images) summary() string { return "host" }
func (i *images) sweep() error    { return nil }

func (i *images) check(spec runtime.Spec) error {
	if spec.Image != hostImage || !i.config.HostAllowed {
		return never("no")
	}
	if len(spec.Command) == 0 {
		return never("A task on the machine itself needs a command.")
	}
	return nil
}

func (i *images) furnish(ctx context.Context, o *order, env environment, spec runtime.Spec, checkpoint string) error {
	return nil
}
