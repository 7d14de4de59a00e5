package disasters

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/neap-cloud/neap/internal/clock"
	"github.com/neap-cloud/neap/internal/cloud/mishap"
	"github.com/neap-cloud/neap/internal/cloud/sim"
)

// rehearsal is one day being lived through.
type rehearsal struct {
	t         *testing.T
	day       day
	folder    string
	binaries  map[string]string
	processes []*process
	database  string  // PostgreSQL URL
	server    *server // nil unless the day has a PostgreSQL of its own
	world     *sim.Cloud
	time      clock.Scaled
	owner     string // the cloud account
	env       []string
	args      []string
	groups    map[string]*kept // by name
	other     string           // id of a group that another installation keeps
	disk      string           // mounted for the data of a small disk

	mark       time.Time // engine time of the last mark
	restoredAt time.Time // engine time from which the journal knows what happened
	sinceMark  int       // calls in the cloud's record at the mark
	impaired   int
	failed     int
}

// kept is a group with what was asked of it.
type kept struct {
	group
	id        string
	target    int
	lowest    int // target so far
	decreases int // by how much scaling down ever lowered the target
	settled   time.Time
	deleted   time.Time
}

const patience = 60 * time.Second

// rehearse lives through a day and judges it.
func rehearse(t *testing.T, d day) {
	t.Helper()
	r := prepare(t, d)
	for n, a := range d.Acts {
		began := time.Now()
		if err := r.act(a); err != nil {
			r.t.Fatalf("act %d, %s %s: %v", n+1, a.Do, a.Group, err)
		}
		t.Logf("%-10s %s %s", a.Do, a.Group, time.Since(began).Round(time.Millisecond))
		r.nobodyDied()
	}
	switch d.End {
	case "untouched":
		r.judgeUntouched()
	default:
		if err := r.recover(); err != nil {
			r.t.Fatal(err)
		}
		r.judge()
	}
	for _, p := range r.processes {
		if err := p.stop(); err != nil {
			t.Errorf("a process did not stop gracefully: %v\n%s", err, p.output.String())
		}
	}
}

// prepare makes everything that the day needs, starts it, and creates its groups.
func prepare(t *testing.T, d day) *rehearsal {
	t.Helper()
	r := &rehearsal{t: t, day: d, folder: t.TempDir(), binaries: map[string]string{"": build(t)}, groups: map[string]*kept{}}
	r.args = []string{"--rate", strconv.FormatFloat(d.Rate, 'g', -1, 64), "--seed", strconv.FormatUint(d.seed%(1<<31)+1, 10)}
	r.env = []string{"NEAP_TEST_CLOCK_FILE=" + r.path("skew"), "NEAP_CRASH_AT=0", "NEAP_CRASH_ARMED=" + r.path("never"), "NEAP_TEST_MISHAPS_FILE=" + r.path("mishaps")}
	r.letGoWrong()
	place := r.path("0")
	if d.Small != "" {
		r.mount(d.Small)
		place = filepath.Join(r.disk, "0")
	}
	world := sim.Config{Path: filepath.Join(place, "sim.db")}
	if d.Small != "" { // the cloud's own record is not on the disk that gets full
		world.Path = r.path("world.db")
		r.env = append(r.env, "NEAP_TEST_WORLD="+world.Path)
	}
	switch {
	case d.Copies:
		world.Path = r.path("world.db")
		r.env = append(r.env, "NEAP_TEST_WORLD="+world.Path, "NEAP_TEST_OWNER=shared")
		r.owner = "shared"
	case d.Own:
		r.server = startServer(t)
		r.database = r.server.url
		world.Path = r.path("world.db")
		r.env = append(r.env, "NEAP_TEST_WORLD="+world.Path)
	case d.Database == "postgres":
		r.database = freshDatabase(t, postgres(t))
		world = sim.Config{URL: r.database}
	}
	if r.database != "" {
		r.args = append(r.args, "--database", r.database)
	}
	t.Cleanup(r.end)
	for n := range d.Replicas {
		r.processes = append(r.processes, &process{folder: filepath.Join(filepath.Dir(place), strconv.Itoa(n))})
	}
	if err := r.begin(world); err != nil {
		t.Fatalf("prepare: %v", err)
	}
	return r
}

// letGoWrong writes down what the processes let go wrong at their cloud, for as long as the file is there.
func (r *rehearsal) letGoWrong() {
	p := mishap.Plan{Rate: map[mishap.Kind]float64{}}
	for _, k := range []mishap.Kind{mishap.Throttled, mishap.Lost, mishap.Unanswered, mishap.Denied, mishap.Late, mishap.Twice} {
		p.Rate[k] = *mishapsFlag
	}
	text, err := json.Marshal(p)
	if err == nil {
		err = os.WriteFile(r.path("mishaps"), text, 0o600)
	}
	if err != nil {
		r.t.Fatal(err)
	}
}

func (r *rehearsal) path(name string) string { return filepath.Join(r.folder, name) }

// begin starts the processes, opens the cloud's record, and makes the groups.
func (r *rehearsal) begin(world sim.Config) error {
	if err := r.start(0, ""); err != nil {
		return err
	}
	_, status, err := r.processes[0].call(http.MethodGet, "/neap/v1/status", nil)
	if err != nil {
		return err
	}
	origin, err := time.Parse(time.RFC3339Nano, fmt.Sprint(status["time"]))
	if err != nil {
		return err
	}
	r.time = clock.Scaled{Began: time.Now(), Origin: origin, Rate: r.day.Rate}
	world.Clock = r.time
	if r.world, err = sim.Open(context.Background(), world); err != nil {
		return err
	}
	if r.owner == "" {
		owner, err := os.ReadFile(filepath.Join(r.processes[0].folder, "demo-account"))
		if err != nil {
			return err
		}
		r.owner = strings.TrimSpace(string(owner))
	}
	for n := 1; n < len(r.processes) && !r.day.Copies; n++ {
		if err := r.start(n, ""); err != nil {
			return err
		}
	}
	for _, g := range r.day.Groups {
		if !g.Later {
			if err := r.create(g); err != nil {
				return err
			}
		}
	}
	return nil
}

// start runs the nth process until it is ready. Replicas share the server key, and the administrator's token is the same for all.
func (r *rehearsal) start(n int, build string) error {
	p := r.processes[n]
	if p.isRunning() {
		return nil
	}
	if n > 0 && !r.day.Copies {
		for _, name := range []string{"server.key", "admin-token"} {
			if err := copyFile(filepath.Join(r.processes[0].folder, name), filepath.Join(p.folder, name)); err != nil {
				return err
			}
		}
	}
	binary, ok := r.binaries[build]
	if !ok {
		binary = buildNext(r.t)
		r.binaries[build] = binary
	}
	if err := p.launch(binary, r.env, r.args...); err != nil {
		return err
	}
	return r.until("the process is ready", patience, func() (string, error) {
		if err := p.died(); err != nil {
			return "", fmt.Errorf("it ended: %w\n%s", err, p.output.String())
		}
		if p.isReady() {
			return "", nil
		}
		return "it is not", nil
	})
}

func copyFile(from, to string) error {
	text, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o700); err != nil {
		return err
	}
	return os.WriteFile(to, text, 0o600)
}

// mount puts a disk of limited size under the data.
func (r *rehearsal) mount(size string) {
	r.disk = r.path("disk")
	if err := os.Mkdir(r.disk, 0o700); err != nil {
		r.t.Fatal(err)
	}
	if out, err := exec.Command("mount", "-t", "tmpfs", "-o", "size="+size, "tmpfs", r.disk).CombinedOutput(); err != nil {
		r.t.Skipf("this scenario needs a small disk, and mounting one is not permitted here: %v %s", err, out)
	}
	r.t.Cleanup(func() {
		if out, err := exec.Command("umount", r.disk).CombinedOutput(); err != nil {
			r.t.Errorf("umount: %v %s", err, out)
		}
	})
}

// end makes sure that nothing outlives the rehearsal, and shows what was printed when it failed.
func (r *rehearsal) end() {
	for n, p := range r.processes {
		_ = p.signal(syscall.SIGCONT) // it may have ended
		p.kill()
		if r.t.Failed() {
			r.t.Logf("process %d printed:\n%s", n, tail(p.output.String(), 6000))
		}
	}
	if r.world != nil {
		if err := r.world.Close(); err != nil {
			r.t.Error(err)
		}
	}
	if r.t.Failed() {
		r.t.Logf("repeat with: go test ./test/disasters -count=1 -v -run '^%s$' -seed %d", strings.ReplaceAll(r.t.Name(), "/", "$/^"), r.day.seed)
	}
}

func tail(text string, most int) string {
	if len(text) > most {
		return "… " + text[len(text)-most:]
	}
	return text
}

// until asks until there is nothing left to wait for: done says what is still missing.
func (r *rehearsal) until(what string, limit time.Duration, done func() (missing string, err error)) error {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	giveUp := time.After(limit)
	for {
		missing, err := done()
		if err != nil || missing == "" {
			return err
		}
		select {
		case <-giveUp:
			return fmt.Errorf("not within %s: %s: %s", limit, what, missing)
		case <-tick.C:
		}
	}
}

// nobodyDied fails when a process that should run has ended by itself.
func (r *rehearsal) nobodyDied() {
	for n, p := range r.processes {
		if p.isRunning() {
			if err := p.died(); err != nil {
				r.t.Fatalf("process %d ended by itself: %v\n%s", n, err, p.output.String())
			}
		}
	}
}

// ask calls whichever process answers, until one does.
func (r *rehearsal) ask(method, path string, body any) (status int, answer map[string]any, err error) {
	waited := r.until(method+" "+path+" is answered", patience, func() (string, error) {
		err = errors.New("no process runs")
		for _, p := range r.processes {
			if !p.isRunning() || r.day.Copies && p != r.processes[0] {
				continue
			}
			status, answer, err = p.call(method, path, body)
			if err == nil && status < http.StatusInternalServerError {
				return "", nil
			}
			if err == nil {
				err = fmt.Errorf("%d %v", status, answer)
			}
		}
		return fmt.Sprint(err), nil
	})
	return status, answer, waited
}

// items are those of the Spot envelope.
func (r *rehearsal) items(method, path string, body any) ([]map[string]any, error) {
	status, answer, err := r.ask(method, path, body)
	if err != nil {
		return nil, err
	}
	if status != http.StatusOK {
		return nil, fmt.Errorf("%s %s: %d %v", method, path, status, answer)
	}
	return itemsOf(answer), nil
}

func itemsOf(answer map[string]any) (items []map[string]any) {
	response, _ := answer["response"].(map[string]any)
	list, _ := response["items"].([]any)
	for _, i := range list {
		if item, ok := i.(map[string]any); ok {
			items = append(items, item)
		}
	}
	return items
}

// create makes a group, or finds it made by a request whose answer was lost.
func (r *rehearsal) create(g group) error {
	all, err := r.items(http.MethodGet, "/aws/ec2/group", nil)
	if err != nil {
		return err
	}
	k := &kept{group: g, target: g.Target, lowest: g.Target}
	for _, one := range all {
		if one["name"] == g.Name {
			k.id, _ = one["id"].(string)
		}
	}
	if k.id == "" {
		made, err := r.items(http.MethodPost, "/aws/ec2/group", g.document())
		if err != nil {
			return err
		}
		k.id, _ = made[0]["id"].(string)
	}
	r.groups[g.Name] = k
	return nil
}

// recover ends all troubles and waits until every group is as it was wished.
func (r *rehearsal) recover() error {
	if r.server != nil {
		if err := r.serverUp(); err != nil {
			return err
		}
	}
	if err := errors.Join(r.world.Pardon(context.Background()), r.skew(0), r.freeDisk(), os.Remove(r.path("mishaps"))); err != nil {
		return err
	}
	for n, p := range r.processes {
		_ = p.signal(syscall.SIGCONT)
		if !p.isRunning() && (n == 0 || !r.day.Copies) {
			if err := r.start(n, ""); err != nil {
				return err
			}
		}
	}
	return r.settle(patience)
}
