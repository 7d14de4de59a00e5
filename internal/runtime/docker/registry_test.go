package docker_test

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/moby/moby/client"

	"github.com/neap-cloud/neap/internal/ident"
	"github.com/neap-cloud/neap/internal/runtime"
)

func digest(content []byte) string {
	sum := sha256.Sum256(content)
	return "sha256:" + hex.EncodeToString(sum[:])
}

// serve makes a registry with an image that Docker has not seen before: a shell, and a name of its own.
func serve(t *testing.T) *registry {
	t.Helper()
	var plain, packed bytes.Buffer
	if err := shellFiles(&plain); err != nil {
		t.Fatal(err)
	}
	zip := gzip.NewWriter(&packed)
	zip.Comment = ident.Hex(8)
	if _, err := zip.Write(plain.Bytes()); err != nil {
		t.Fatal(err)
	}
	if err := zip.Close(); err != nil {
		t.Fatal(err)
	}
	layer := packed.Bytes()
	config, err := json.Marshal(map[string]any{
		"architecture": "amd64", "os": "linux", "config": map[string]any{"Env": []string{"PATH=/bin"}, "Labels": map[string]string{"mark": ident.Hex(8)}},
		"rootfs": map[string]any{"type": "layers", "diff_ids": []string{digest(plain.Bytes())}},
	})
	if err != nil {
		t.Fatal(err)
	}
	const form = "application/vnd.docker."
	manifest, err := json.Marshal(map[string]any{
		"schemaVersion": 2, "mediaType": form + "distribution.manifest.v2+json",
		"config": map[string]any{"mediaType": form + "container.image.v1+json", "size": len(config), "digest": digest(config)},
		"layers": []any{map[string]any{"mediaType": form + "image.rootfs.diff.tar.gzip", "size": len(layer), "digest": digest(layer)}},
	})
	if err != nil {
		t.Fatal(err)
	}
	r := &registry{rest: make(chan struct{}), over: make(chan struct{}), part: len(layer) / 2, blobs: map[string][]byte{
		"1": manifest, digest(manifest): manifest, digest(config): config, digest(layer): layer,
	}}
	r.Server = httptest.NewServer(r)
	t.Cleanup(func() {
		close(r.over)
		r.CloseClientConnections()
		r.Close()
	})
	r.image = strings.TrimPrefix(r.URL, "http://") + "/neap/" + ident.Hex(4) + ":1"
	return r
}

// drop removes the image from Docker again.
func (r *registry) drop(t *testing.T) {
	if _, err := api(t).ImageRemove(t.Context(), r.image, client.ImageRemoveOptions{Force: true}); err != nil {
		t.Error(err)
	}
}

func fetches(t *testing.T) {
	// Docker fetches a layer once: an image of the same files elsewhere would not be fetched, so this comes alone.
	i, r := open(t), serve(t)
	spec := task("fetched", "echo here")
	spec.Image = r.image
	told := i.Watch(t.Context())
	i.start(t, spec)
	waiting := i.until(t, "fetched", "it tells how far it is", func(t runtime.Task) bool { return strings.Contains(t.Reason, " MB") })
	if waiting.State != runtime.Starting || !strings.Contains(waiting.Reason, r.image) {
		t.Errorf("it is %+v", waiting)
	}
	if ids := <-told; len(ids) != 1 || ids[0] != "fetched" {
		t.Errorf("told of %q", ids)
	}
	close(r.rest)
	if end := i.until(t, "fetched", "it is over", over); end.Exit != (runtime.Exit{}) || end.Lines != 1 {
		t.Errorf("it is %+v", end)
	}
	if err := i.Forget(t.Context(), "fetched", ""); err != nil {
		t.Error(err)
	}
	r.drop(t)
}

func noImage(t *testing.T) {
	t.Parallel()
	i, r := open(t), serve(t)
	i.Hurry()
	gone := httptest.NewServer(nil)
	gone.Close()
	for n, image := range []string{strings.TrimSuffix(r.image, ":1") + ":2", strings.TrimPrefix(gone.URL, "http://") + "/neap/x:1"} {
		spec := task(fmt.Sprint("none", n), "true")
		spec.Image = image
		i.start(t, spec)
		end := i.until(t, spec.ID, "it is over", over)
		if end.State != runtime.Ended || end.Exit.Code != 125 || !strings.Contains(end.Exit.Reason, image) {
			t.Errorf("%s: it is %+v", image, end)
		}
		t.Log(end.Exit.Reason)
	}
}

func stopsFetching(t *testing.T) {
	t.Parallel()
	i, r := open(t), serve(t)
	spec := task("stopped", "true")
	spec.Image = r.image
	i.start(t, spec)
	i.until(t, "stopped", "it is fetched", func(t runtime.Task) bool { return strings.Contains(t.Reason, "Fetching") })
	if err := i.Stop(t.Context(), "stopped", 0); err != nil {
		t.Fatal(err)
	}
	end := i.until(t, "stopped", "it is over", over)
	if end.Exit != (runtime.Exit{Code: 137, Signal: "KILL", Stopped: true}) || !end.Started.IsZero() || end.Ended.IsZero() {
		t.Errorf("it is %+v", end)
	}
}
