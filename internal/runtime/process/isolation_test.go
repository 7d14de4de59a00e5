package process_test

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/neap-cloud/neap/internal/runtime"
	"github.com/neap-cloud/neap/internal/runtime/process"
)

// The tests of this file are about what a task gets, and what it can't reach.

func TestATaskGetsACleanProcess(t *testing.T) {
	t.Setenv("NEAP_KEY", "of-neap-itself") // nothing of Neap's environment may reach a task
	folder := reachable(t)
	r := open(t, process.Config{Folder: folder})
	spec := script("t", `env; id -u; id -G; umask; ls /proc/$$/fd; cat; grep -E "NoNewPrivs|CapEff" /proc/self/status; cat /proc/self/oom_score_adj; ulimit -c; ps -o sid= -p $$ | tr -d " "; echo $$; pwd -P; ls -A`)
	spec.Env = map[string]string{"LANG": "de_DE.UTF-8", "MINE": "yes"}
	task, lines := run(t, r, spec)
	all := strings.Join(lines, "\n") + "\n"
	work := filepath.Join(folder, "work", "t")
	for _, want := range []string{
		"MINE=yes\n", "LANG=de_DE.UTF-8\n", "HOME=" + work + "/work\n", "TMPDIR=" + work + "/tmp\n", "PATH=/usr/local/sbin:", "\n64000\n64000\n0077\n0\n1\n2\n",
		"CapEff:\t0000000000000000\n", "NoNewPrivs:\t1\n", "\n700\n0\n", "\n" + work + "/work\n",
	} {
		if !strings.Contains(all, want) {
			t.Errorf("there is no %q", want)
		}
	}
	if sid, pid := lines[len(lines)-3], lines[len(lines)-2]; sid != pid {
		t.Errorf("its session is %s, and it %s", sid, pid)
	}
	if strings.Contains(all, "of-neap-itself") || strings.Count(all, "=") > 9 {
		t.Errorf("it gets more than it should")
	}
	if t.Failed() {
		t.Logf("%+v\n%s", task, all)
	}
	if _, err := os.Stat(work); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("its folders are still there: %v", err)
	}
}

func TestSecretsOfATaskAreInNoFileAndNobodyElseReadsItsOutput(t *testing.T) {
	folder := reachable(t)
	r := open(t, process.Config{Folder: folder})
	spec := script("t", "echo started; exec sleep 1000")
	spec.Env = map[string]string{"TOKEN": "very-s3cret-value"}
	start(t, r, spec)
	until(t, r, "t", func(task runtime.Task) bool { return task.Lines == 1 })
	files := 0
	err := filepath.WalkDir(folder, func(name string, e fs.DirEntry, err error) error {
		if err != nil || e.Type()&fs.ModeNamedPipe != 0 {
			return err
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		below, _ := filepath.Rel(folder, name)
		if strings.HasPrefix(below, "control") && info.Mode()&0o077 != 0 && e.Type().IsRegular() || below == "control" && info.Mode().Perm() != 0o700 {
			t.Errorf("others may use %s: %v", below, info.Mode())
		}
		if !e.Type().IsRegular() {
			return nil
		}
		files++
		content, err := os.ReadFile(name)
		if bytes.Contains(content, []byte("very-s3cret-value")) {
			t.Errorf("%s holds the secret", below)
		}
		return err
	})
	if err != nil || files < 5 {
		t.Errorf("%d files, %v", files, err)
	}
	// Another task, as a user of its own, reaches neither.
	other := script("u", "cat "+folder+"/control/tasks/t/head "+folder+"/work/t/work/* /proc/*/environ 2>/dev/null; ls "+folder+"/work 2>&1; kill -9 "+strconv.Itoa(supervisorOf(t, folder, "t"))+" 2>/dev/null; exit 0")
	_, lines := run(t, r, other)
	if all := strings.Join(lines, "\n"); strings.Contains(all, "s3cret") || strings.Contains(all, "started") || !strings.Contains(all, "ermission denied") {
		t.Errorf("it reads %.500q", all)
	}
	if task, _ := find(t, r, "t"); task.State != runtime.Running {
		t.Errorf("another task made it %+v", task)
	}
	if err := r.Stop(t.Context(), "t", 0); err != nil {
		t.Fatal(err)
	}
	until(t, r, "t", isOver)
}

func TestUsersOfTasksTakeTurnsAndAreFreedAgain(t *testing.T) {
	r := open(t, process.Config{Folder: reachable(t), FirstUID: 64500, UIDs: 3})
	var users []string
	for i := range 4 {
		_, lines := run(t, r, script(fmt.Sprint("t", i), "id -u"))
		users = append(users, lines...)
	}
	if want := []string{"64500", "64501", "64502", "64500"}; !slices.Equal(users, want) {
		t.Errorf("they ran as %q, want %q", users, want)
	}
	for i := range 3 {
		start(t, r, script(fmt.Sprint("long", i), "exec sleep 1000"))
	}
	var refused *runtime.Refusal
	if err := r.Start(t.Context(), script("more", "true")); !errors.As(err, &refused) || refused.Kind != runtime.Full {
		t.Errorf("a fourth at once: %v", err)
	}
	for i := range 3 {
		if err := r.Stop(t.Context(), fmt.Sprint("long", i), 0); err != nil {
			t.Fatal(err)
		}
		until(t, r, fmt.Sprint("long", i), isOver)
	}
	if task, _ := run(t, r, script("more", "true")); task.Exit.Code != 0 {
		t.Errorf("when there is room again: %+v", task)
	}
}

func TestTasksRunAsTheNamedUser(t *testing.T) {
	r := open(t, process.Config{Folder: reachable(t), User: "nobody"})
	spec := script("t", "id -un; echo x >$NEAP_CHECKPOINT_DIR/x && echo written")
	spec.Checkpoint = "c"
	if _, lines := run(t, r, spec); !slices.Equal(lines, []string{"nobody", "written"}) {
		t.Errorf("it wrote %q", lines)
	}
	if _, err := process.New(process.Config{Folder: reachable(t), User: "no-such-user"}); err == nil || !strings.Contains(err.Error(), "no-such-user") {
		t.Errorf("an unknown user: %v", err)
	}
}

// Below a folder that only its owner enters, tasks with users of their own work elsewhere.
func TestTasksWorkElsewhereWhereTheirFolderIsOutOfReach(t *testing.T) {
	closed := t.TempDir()
	if err := os.Chmod(closed, 0o700); err != nil {
		t.Fatal(err)
	}
	r := open(t, process.Config{Folder: filepath.Join(closed, "tasks")})
	_, lines := run(t, r, script("t", "pwd; echo x >x && echo written"))
	if len(lines) != 2 || strings.HasPrefix(lines[0], closed) || lines[1] != "written" {
		t.Errorf("it wrote %q", lines)
	}
}

func TestATaskGetsNoMoreProcessorThanItAskedFor(t *testing.T) {
	r := open(t, process.Config{Folder: reachable(t)})
	spec := script("t", "timeout 2 sh -c 'while :; do :; done'; times")
	spec.Resources.MilliCPU = 200
	task, lines := run(t, r, spec)
	if len(lines) != 2 || task.Limits != "cgroup v1" && task.Limits != "cgroup v2" {
		t.Fatalf("%+v wrote %q", task, lines)
	}
	used, err := time.ParseDuration(strings.Fields(lines[1])[0]) // "0m0.40s 0m0.00s"
	if err != nil || used > 900*time.Millisecond {
		t.Errorf("in two seconds it used %v, %v", used, err)
	}
}

func TestATaskCanNotHaveProcessesWithoutEnd(t *testing.T) {
	r := open(t, process.Config{Folder: reachable(t)})
	spec := script("t", "echo here; i=0; while [ $i -lt 6000 ]; do i=$((i+1)); sleep 1000 & done; wait")
	spec.Resources.MemoryMiB = 4096
	spec.Timeout = 20 * time.Second
	task, lines := run(t, r, spec)
	if all := strings.Join(lines, "\n"); !strings.Contains(strings.ToLower(all), "fork") {
		t.Errorf("%+v wrote %.300q", task, all)
	}
}

// Without being root, all the same holds but for users, limits and images.
func TestWithoutRootTheContractHoldsToo(t *testing.T) {
	if os.Getenv("NEAP_TEST_UNPRIVILEGED") != "" {
		t.Fatal("this process is the unprivileged one")
	}
	place := t.TempDir()
	if err := errors.Join(os.Chmod(place, 0o777), os.Chmod(filepath.Dir(place), 0o711)); err != nil {
		t.Fatal(err)
	}
	binary := filepath.Join(place, "tests")
	content, err := os.ReadFile(os.Args[0])
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(binary, content, 0o755); err != nil {
		t.Fatal(err)
	}
	command := exec.CommandContext(t.Context(), binary, "-test.run", "^TestUnprivileged", "-test.v")
	command.Dir, command.Env = place, []string{"PATH=" + os.Getenv("PATH"), "NEAP_TEST_UNPRIVILEGED=" + place, "TMPDIR=" + place}
	if os.Geteuid() == 0 {
		command.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	}
	out, err := command.CombinedOutput()
	if err != nil || !bytes.Contains(out, []byte("--- PASS: TestUnprivilegedProcesses")) {
		t.Errorf("%v\n%s", err, out)
	}
}
