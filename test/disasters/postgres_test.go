package disasters

import (
	"context"
	"database/sql"
	"fmt"
	"math/rand/v2"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	_ "github.com/jackc/pgx/v5/stdlib" // driver "pgx"
)

// freshDatabase makes an empty database on the tests' PostgreSQL, and drops it in the end.
func freshDatabase(t *testing.T, server string) string {
	t.Helper()
	name := fmt.Sprintf("disaster_%x", rand.Uint64())
	manage := func(statement string) {
		db, err := sql.Open("pgx", server)
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		if _, err := db.ExecContext(context.WithoutCancel(t.Context()), statement); err != nil {
			t.Errorf("%s: %v", statement, err)
		}
	}
	manage("CREATE DATABASE " + name)
	t.Cleanup(func() { manage("DROP DATABASE " + name + " WITH (FORCE)") })
	parsed, err := url.Parse(server)
	if err != nil {
		t.Fatal(err)
	}
	parsed.Path = "/" + name
	return parsed.String()
}

// server is a PostgreSQL that belongs to one rehearsal, so that it can be taken down.
type server struct {
	t        *testing.T
	home     string
	programs string
	url      string
	port     string
}

// startServer starts one on a port of its own; it is ended with the test.
func startServer(t *testing.T) *server {
	t.Helper()
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin")
	if err != nil || len(found) == 0 {
		t.Skip("this scenario stops and starts a PostgreSQL of its own, and no server is installed: apt-get install postgresql")
	}
	slices.Sort(found)
	// Its own user must be able to reach it, which a test's folder does not allow.
	home, err := os.MkdirTemp("", "neap-disaster-postgres-")
	if err != nil {
		t.Fatal(err)
	}
	s := &server{t: t, home: home, programs: found[len(found)-1]}
	script := exec.Command("../postgres.sh", "start")
	script.Env = append(os.Environ(), "NEAP_TEST_POSTGRES_HOME="+home)
	out, err := script.Output()
	if err != nil {
		t.Fatalf("start PostgreSQL: %v", err)
	}
	t.Cleanup(func() {
		stop := exec.Command("../postgres.sh", "stop")
		stop.Env = script.Env
		if out, err := stop.CombinedOutput(); err != nil {
			t.Errorf("stop PostgreSQL: %v\n%s", err, out)
		}
	})
	s.url = strings.TrimSpace(string(out))
	parsed, err := url.Parse(s.url)
	if err != nil {
		t.Fatal(err)
	}
	s.port = parsed.Port()
	return s
}

func (s *server) control(args ...string) error {
	command := append([]string{filepath.Join(s.programs, "pg_ctl"), "-D", filepath.Join(s.home, "data"), "-w"}, args...)
	if os.Getuid() == 0 {
		command = append([]string{"runuser", "-u", "postgres", "--"}, command...)
	}
	c := exec.Command(command[0], command[1:]...)
	c.Dir = "/"
	// The server inherits the output, so it goes to a file: a pipe would never end.
	if out, err := os.Create(filepath.Join(s.home, "control.log")); err == nil {
		defer out.Close()
		c.Stdout, c.Stderr = out, out
	}
	return c.Run()
}

// down takes the server away as a crash would.
func (s *server) down() error { return s.control("-m", "immediate", "stop") }

func (s *server) up() error {
	return s.control("-l", filepath.Join(s.home, "data", "server.log"), "-o",
		fmt.Sprintf("-p %s -c listen_addresses=127.0.0.1 -c unix_socket_directories='%s' -c max_connections=200 -c fsync=off", s.port, s.home), "start")
}
