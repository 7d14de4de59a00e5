package process

// WithoutGroups makes a runtime as it is on a machine without control groups.
func (r *Runtime) WithoutGroups() {
	r.groups.removeEmpty()
	r.groups = hierarchies{}
}

// WithoutOverlay makes a runtime as it is on a machine that can't lay a folder over another.
func (r *Runtime) WithoutOverlay(err error) { r.images.able.overlay = err }
