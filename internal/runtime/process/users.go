//go:build linux

package process

import (
	"fmt"
	"os"
	"os/user"
	"strconv"

	"github.com/neap-cloud/neap/internal/runtime"
)

// account is whom a task runs as.
type account struct {
	uid, gid int
	change   bool // from Neap's own, which only root can
}

// accounts gives tasks their users. It has no lock of its own.
type accounts struct {
	fixed *account // for all tasks; nil = one each
	first int
	count int
	next  int
	taken map[int]bool
}

func newAccounts(c Config) (*accounts, error) {
	a := &accounts{first: c.FirstUID, count: c.UIDs, taken: map[int]bool{}}
	own := account{uid: os.Geteuid(), gid: os.Getegid()}
	switch {
	case c.User == SameUser, c.User == "" && own.uid != 0:
		a.fixed = &own
	case c.User != "":
		found, err := user.Lookup(c.User)
		if err != nil {
			return nil, fmt.Errorf("the user %q that tasks are to run as: %w", c.User, err)
		}
		uid, err := strconv.Atoi(found.Uid)
		if err != nil {
			return nil, err
		}
		gid, err := strconv.Atoi(found.Gid)
		if err != nil {
			return nil, err
		}
		if uid != own.uid && own.uid != 0 {
			return nil, fmt.Errorf("tasks can run as %q only if Neap runs as root or as %q itself", c.User, c.User)
		}
		a.fixed = &account{uid: uid, gid: gid, change: uid != own.uid}
	}
	return a, nil
}

// take gives a user that no living task has. They take turns, so that what a task leaves somewhere is not the next one's.
func (a *accounts) take() (account, error) {
	if a.fixed != nil {
		return *a.fixed, nil
	}
	for range a.count {
		uid := a.first + a.next
		a.next = (a.next + 1) % a.count
		if !a.taken[uid] {
			a.taken[uid] = true
			return account{uid: uid, gid: uid, change: true}, nil
		}
	}
	return account{}, &runtime.Refusal{Kind: runtime.Full, Message: fmt.Sprintf("All %d users that tasks run as on this machine are in use.", a.count)}
}

// reserve marks the user of a task that an earlier Neap started.
func (a *accounts) reserve(uid int) { a.taken[uid] = true }

func (a *accounts) free(uid int) { delete(a.taken, uid) }

// ours says that files of a user may be given to another task's: they are a task's.
func (a *accounts) ours(uid int) bool {
	return a.fixed == nil && uid >= a.first && uid < a.first+a.count
}
