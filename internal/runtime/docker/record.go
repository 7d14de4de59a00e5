package docker

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/neap-cloud/neap/internal/runtime"
)

// record is what is known of a task, as it stands in its folder.
type record struct {
	Spec runtime.Spec `json:"spec"` // without Env once the container has it
	// Created says that there is a container; one that is missing after that was removed by somebody else.
	Created bool          `json:"created,omitempty"`
	State   runtime.State `json:"state,omitempty"` // "" = runtime.Starting
	Started time.Time     `json:"started,omitzero"`
	Ended   time.Time     `json:"ended,omitzero"`
	Exit    runtime.Exit  `json:"exit,omitzero"`
	Reason  string        `json:"reason,omitempty"`
	Lines   int64         `json:"lines,omitempty"` // once it has ended

	// EndBy is when it is to be gone after Stop, and Asked when that was asked; TimedOut is when its time was up. They stand here before any signal is sent.
	EndBy    time.Time `json:"endBy,omitzero"`
	Asked    time.Time `json:"asked,omitzero"`
	TimedOut time.Time `json:"timedOut,omitzero"`
}

const recordName = "task.json"

func (r record) over() bool { return r.State == runtime.Ended || r.State == runtime.Lost }

// enter makes a task's folder with its record, so that not even a power cut takes it away again.
func (r record) enter(dir string) error {
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("docker: the folder of task %s: %w", r.Spec.ID, err)
	}
	if err := r.save(dir); err != nil {
		return err
	}
	for _, name := range []string{filepath.Join(dir, recordName), dir, filepath.Dir(dir)} {
		if err := persist(name); err != nil {
			return fmt.Errorf("docker: the record of task %s: %w", r.Spec.ID, err)
		}
	}
	return nil
}

func persist(name string) error {
	file, err := os.Open(name)
	if err != nil {
		return err
	}
	return errors.Join(file.Sync(), file.Close())
}

// save replaces the record. What a power cut takes away of a change, Docker still knows.
func (r record) save(dir string) error {
	content, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("docker: the record of task %s: %w", r.Spec.ID, err)
	}
	fresh := filepath.Join(dir, recordName+".new")
	if err := os.WriteFile(fresh, content, 0o600); err != nil {
		return fmt.Errorf("docker: the record of task %s: %w", r.Spec.ID, err)
	}
	if err := os.Rename(fresh, filepath.Join(dir, recordName)); err != nil {
		return fmt.Errorf("docker: the record of task %s: %w", r.Spec.ID, err)
	}
	return nil
}

// load takes up what the predecessor left.
func (r *Runtime) load() error {
	entries, err := os.ReadDir(r.config.Dir)
	if err != nil {
		return fmt.Errorf("docker: %w", err)
	}
	for _, e := range entries {
		dir := filepath.Join(r.config.Dir, e.Name())
		content, err := os.ReadFile(filepath.Join(dir, recordName))
		if errors.Is(err, fs.ErrNotExist) {
			continue // Start, or Forget, got no further
		}
		if err != nil {
			return fmt.Errorf("docker: %w", err)
		}
		var found record
		if err := json.Unmarshal(content, &found); err != nil || found.Spec.ID != e.Name() {
			return fmt.Errorf("docker: %s is no record of task %s; move it away to go on without that task: %w", filepath.Join(dir, recordName), e.Name(), err)
		}
		t := newTask(dir, found)
		r.tasks[found.Spec.ID] = t
		if found.over() {
			t.lines.unread = true
			continue
		}
		if err := t.lines.open(); err != nil {
			return err
		}
		r.work.Go(func() { r.keep(t) })
	}
	return nil
}
