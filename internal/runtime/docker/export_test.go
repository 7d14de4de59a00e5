package docker

import "time"

// Hurry makes what is tried again be tried again at once.
func (r *Runtime) Hurry() { r.pauses = []time.Duration{10 * time.Millisecond} }
