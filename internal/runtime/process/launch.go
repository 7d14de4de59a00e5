//go:build linux

package process

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	goruntime "runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

const usualPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// badness makes the kernel, when the machine runs out of memory, end tasks before anything else.
const badness = "700"

// noCommandError says that the task's command can't be run, in the task's own words: 127 = there is none, 126 = it may not.
type noCommandError struct {
	command string
	code    int
}

func (e *noCommandError) Error() string {
	if e.code == 126 {
		return fmt.Sprintf("The command %s is not allowed to run; it may lack the right to execute, or its format is unknown.", e.command)
	}
	return fmt.Sprintf("There is no such command: %s.", e.command)
}

// start starts the command on a thread that is kept for nothing else: what the command inherits from it (groups, mounts, no new privileges) can't be taken back, and
// the command is killed when it ends, which it does when the supervisor dies, however it dies.
func start(o *order, g groups, stdout, stderr *os.File) (pid int, err error) {
	type result struct {
		pid int
		err error
	}
	started := make(chan result)
	go func() {
		goruntime.LockOSThread()
		pid, err := startHere(o, g, stdout, stderr)
		started <- result{pid, err}
		select {}
	}()
	r := <-started
	return r.pid, r.err
}

func startHere(o *order, g groups, stdout, stderr *os.File) (int, error) {
	null, err := os.Open(os.DevNull)
	if err != nil {
		return 0, err
	}
	defer null.Close()
	attributes := &syscall.SysProcAttr{Setsid: true, Pdeathsig: syscall.SIGKILL}
	if o.Switch {
		attributes.Credential = &syscall.Credential{Uid: uint32(o.UID), Gid: uint32(o.GID)}
	}
	if o.Root != nil {
		if attributes.Chroot, err = o.Root.mount(o); err != nil {
			return 0, err
		}
	}
	if g.Unified != "" {
		group, err := os.Open(filepath.Join(g.Unified, g.id))
		if err != nil {
			return 0, err
		}
		defer group.Close()
		attributes.UseCgroupFD, attributes.CgroupFD = true, int(group.Fd())
	}
	leave, err := g.enter()
	if err != nil {
		return 0, err
	}
	defer leave()
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return 0, fmt.Errorf("giving up new privileges: %w", err)
	}
	pid, err := execute(o.Command, &syscall.ProcAttr{
		Dir: o.Work, Env: o.Env, Files: []uintptr{null.Fd(), stdout.Fd(), stderr.Fd()}, Sys: attributes,
	})
	if err == nil {
		_ = os.WriteFile("/proc/"+strconv.Itoa(pid)+"/oom_score_adj", []byte(badness), 0o644) // it may have ended already
	}
	return pid, err
}

// execute runs a command from the first folder of its PATH that has it. The kernel is asked for each, as only it sees the files as the task will.
func execute(command []string, attributes *syscall.ProcAttr) (int, error) {
	failed := &noCommandError{command: command[0], code: 127}
	for _, name := range candidates(command[0], attributes.Env) {
		if attributes.Sys.Chroot == "" && !exists(name, attributes.Dir) {
			continue
		}
		pid, err := syscall.ForkExec(name, command, attributes)
		switch {
		case err == nil:
			return pid, nil
		case errors.Is(err, syscall.ENOENT) || errors.Is(err, syscall.ENOTDIR):
		case errors.Is(err, syscall.EACCES) || errors.Is(err, syscall.ENOEXEC):
			failed.code = 126
		default:
			return 0, err
		}
	}
	return 0, failed
}

// exists spares the attempt to run what is not there.
func exists(name, from string) bool {
	if !filepath.IsAbs(name) {
		name = filepath.Join(from, name)
	}
	_, err := os.Stat(name)
	return err == nil
}

func candidates(command string, env []string) []string {
	if command == "" || strings.Contains(command, "/") {
		return []string{command}
	}
	path := usualPath
	for _, e := range slices.Backward(env) {
		if value, ok := strings.CutPrefix(e, "PATH="); ok {
			path = value
			break
		}
	}
	var all []string
	for folder := range strings.SplitSeq(path, ":") {
		if filepath.IsAbs(folder) {
			all = append(all, filepath.Join(folder, command))
		}
	}
	return all
}
