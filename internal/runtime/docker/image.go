package docker

import (
	"context"
	"fmt"
	"strings"

	"github.com/containerd/errdefs"
	"github.com/moby/moby/api/types/jsonstream"
	"github.com/moby/moby/client"

	"github.com/neap-cloud/neap/internal/runtime"
)

// mostPulls is how often an image is asked for whose registry fails; the pauses between come to about a minute.
const mostPulls = 6

// image sees to it that a task's image is here.
func (k *keeper) image(ctx context.Context, spec runtime.Spec) error {
	_, err := k.docker.ImageInspect(ctx, spec.Image)
	if err == nil {
		k.because("")
		return nil
	}
	if !errdefs.IsNotFound(err) {
		return err
	}
	err = k.pull(ctx, spec)
	switch {
	case err == nil || !k.now().EndBy.IsZero() || ctx.Err() != nil || client.IsErrConnectionFailed(err):
		return err
	case errdefs.IsNotFound(err), errdefs.IsPermissionDenied(err), errdefs.IsUnauthorized(err), errdefs.IsInvalidArgument(err), saysNoSuchImage(err):
		return &hopeless{codeNotBegun, fmt.Sprintf("There is no such image, or it may not be fetched: %s (%s).", spec.Image, flat(err))}
	}
	if k.pulls++; k.pulls >= mostPulls {
		return &hopeless{codeNotBegun, fmt.Sprintf("The image %s could not be fetched, not even at attempt %d: %s.", spec.Image, k.pulls, flat(err))}
	}
	return err
}

// pull fetches the image and tells how far it is, until the task is to end.
func (k *keeper) pull(ctx context.Context, spec runtime.Spec) error {
	ctx, cancel := k.droppable(ctx)
	defer cancel()
	k.tellFetch(spec, nil)
	pulling, err := k.docker.ImagePull(ctx, spec.Image, client.ImagePullOptions{})
	if err != nil {
		return err
	}
	defer k.letGo(pulling)
	layers := map[string]jsonstream.Progress{}
	for message, err := range pulling.JSONMessages(ctx) {
		if err != nil {
			return err
		}
		if message.Error != nil {
			return message.Error
		}
		if message.Status == "Downloading" && message.Progress != nil {
			layers[message.ID] = *message.Progress
			k.tellFetch(spec, layers)
		}
	}
	return ctx.Err()
}

func (k *keeper) tellFetch(spec runtime.Spec, layers map[string]jsonstream.Progress) {
	var here, all int64
	for _, layer := range layers {
		here, all = here+layer.Current, all+layer.Total
	}
	text := "Fetching the image " + spec.Image + "."
	if all > 0 {
		text = fmt.Sprintf("Fetching the image %s: %.1f of %.1f MB.", spec.Image, float64(here)/1e6, float64(all)/1e6)
	}
	if k.because(text) {
		k.watches.tell(spec.ID, false)
	}
}

// saysNoSuchImage reads what registries answer through Docker, which has no code for it once it has begun to tell of progress.
func saysNoSuchImage(err error) bool {
	for _, text := range []string{"manifest unknown", "not found", "access denied", "unauthorized", "no matching manifest"} {
		if strings.Contains(err.Error(), text) {
			return true
		}
	}
	return false
}

// flat is an error as a part of a sentence.
func flat(err error) string {
	return strings.TrimSuffix(strings.TrimPrefix(strings.Join(strings.Fields(err.Error()), " "), "Error response from daemon: "), ".")
}
