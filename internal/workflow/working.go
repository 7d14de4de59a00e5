package workflow

import (
	"errors"
	"fmt"
	"time"
)

// lookedWithin is how old the last look for work may be before this replica counts as stuck.
const lookedWithin = 2 * longestLease

// Working says why this replica takes no turns, or nil: it has not been started, is stopping, or has not managed to look for work lately.
func (e *Engine) Working() error {
	e.mu.Lock()
	state := e.state
	e.mu.Unlock()
	switch {
	case state == "":
		return errors.New("the engine has not started yet")
	case state != "running":
		return errors.New("the engine has stopped")
	case len(e.order) == 0:
		return nil
	}
	if last := time.Since(time.UnixMicro(e.looked.Load())); last > lookedWithin {
		return fmt.Errorf("the engine has not been able to look for work for %s", last.Round(time.Second))
	}
	return nil
}
