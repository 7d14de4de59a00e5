package app_test

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/neap-cloud/neap/internal/app"
	"github.com/neap-cloud/neap/internal/apptest"
	"github.com/neap-cloud/neap/internal/clock"
)

// TestJobsRunInContainers takes a job from its submission to its end in a container, and one that is cancelled while it runs.
func TestJobsRunInContainers(t *testing.T) {
	socket := os.Getenv("NEAP_TEST_DOCKER")
	if socket == "" {
		t.Skip(`NEAP_TEST_DOCKER is not set: jobs are not run in containers; run: export NEAP_TEST_DOCKER="$(test/docker.sh start)"`)
	}
	n := apptest.Start(t, func(c *app.Config) {
		c.Data, c.Clock = t.TempDir(), clock.Wall{}
		c.Jobs = app.Jobs{VCPUs: 2, MemoryMiB: 4096, Docker: socket, DockerNetwork: "none"}
	})
	submit := func(command ...string) string {
		t.Helper()
		answer := n.Must("POST", "/submit?token="+n.Admin, map[string]any{
			"cloud": "aws", "region": "us-east-1", "id": "docker", "customer": "lightning", "image": "neap-test/probe:1", "command": command,
			"env": map[string]any{"LEVEL": "info"}, "resources": map[string]any{"vcpus": 0.5, "memory": 64},
		})
		return answer.Body["job_id"].(string)
	}
	becomes := func(id, status string) {
		t.Helper()
		really(t, "job "+id+" is "+status, func() bool { return n.Must("GET", "/status/"+id+"?token="+n.Admin, nil).Body["status"] == status })
	}
	good, bad := submit("/busybox", "sh", "-c", "/busybox echo level $LEVEL"), submit("/busybox", "sh", "-c", "exit 3")
	becomes(good, "SUCCEEDED")
	becomes(bad, "FAILED")
	if log := string(n.Must("GET", "/logs/"+good+"?token="+n.Admin, nil).Raw); !strings.Contains(log, "level info") {
		t.Errorf("its log: %s", log)
	}
	long := submit("/busybox", "sleep", "600")
	becomes(long, "RUNNING")
	n.Must("GET", "/cancel/"+long+"?token="+n.Admin, nil)
	really(t, "the container is stopped", func() bool {
		return strings.Contains(string(n.Must("GET", "/neap/v1/jobs/"+long, nil).Raw), `"outcome":"cancelled"`)
	})
}

// really waits on the wall: containers don't follow a clock that tests step.
func really(t *testing.T, what string, is func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); !is(); {
		if time.Now().After(end) {
			t.Fatalf("it never was so that %s", what)
		}
		<-time.After(50 * time.Millisecond)
	}
}
