package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// client starts nodes and submits jobs to them, as a user does who gives up on no job.
type client struct {
	options
	http    *http.Client
	running *exec.Cmd
}

func newClient(o options) (*client, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	o.At = listener.Addr().String()
	return &client{options: o, http: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 256}}}, listener.Close()
}

// launched is a client with a node of its own, and the token for it.
func launched(ctx context.Context, o options) (c *client, token string, err error) {
	if c, err = newClient(o); err != nil {
		return nil, "", err
	}
	if err = c.start(ctx); err != nil {
		return nil, "", err
	}
	token, err = c.token()
	return c, token, err
}

// start starts a node and waits until it answers.
func (c *client) start(ctx context.Context) error {
	c.running = exec.Command(os.Args[0], c.arguments()...)
	c.running.Stdout, c.running.Stderr = os.Stderr, os.Stderr
	if err := c.running.Start(); err != nil {
		return err
	}
	for end := time.Now().Add(time.Minute); ; {
		answer, err := c.http.Get("http://" + c.At + "/readyz")
		if err == nil {
			answer.Body.Close()
			if answer.StatusCode == http.StatusOK {
				return nil
			}
		}
		if time.Now().After(end) || ctx.Err() != nil {
			return fmt.Errorf("the node does not become ready: %w", err)
		}
		<-time.After(5 * time.Millisecond)
	}
}

func (c *client) arguments() []string {
	return []string{
		"-node", "-data", c.Data, "-at", c.At, "-gate", c.Gate, "-storm", c.Storm.String(), "-rate", fmt.Sprint(c.Rate), "-slots", fmt.Sprint(c.Slots), "-seed", fmt.Sprint(c.Seed),
		"-real=" + fmt.Sprint(c.Real),
	}
}

// kill ends the node as a failing power supply would, but for the disk.
func (c *client) kill() error {
	if err := c.running.Process.Kill(); err != nil {
		return err
	}
	if err := c.running.Wait(); err == nil {
		return fmt.Errorf("the node ended by itself")
	}
	return nil
}

func (c *client) token() (string, error) {
	text, err := os.ReadFile(filepath.Join(c.Data, "admin-token"))
	return strings.TrimSpace(string(text)), err
}

// submission is job number n. Customers and priorities are mixed.
func submission(n int, command ...string) map[string]any {
	return map[string]any{
		"cloud": "aws", "region": "us-east-1", "id": fmt.Sprint("class-", n%7), "customer": fmt.Sprint("customer-", n%5), "image": "hello-world:linux",
		"command": command, "priority": []string{"LOW", "LOW", "HIGH"}[n%3], "resources": map[string]any{"vcpus": 1, "memory": 1024},
	}
}

// submit asks until there is an answer: the key makes sure that it is one job.
func (c *client) submit(ctx context.Context, token, key string, job map[string]any) (id string, err error) {
	body, err := json.Marshal(job)
	if err != nil {
		return "", err
	}
	for {
		id, status, err := c.submitOnce(ctx, token, key, body)
		switch {
		case err == nil && status == http.StatusOK:
			return id, nil
		case err == nil && status != http.StatusTooManyRequests && status < 500:
			return "", fmt.Errorf("a job was refused with %d", status)
		case ctx.Err() != nil:
			return "", ctx.Err()
		}
		<-time.After(20 * time.Millisecond)
	}
}

func (c *client) submitOnce(ctx context.Context, token, key string, body []byte) (id string, status int, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+c.At+"/submit?token="+token, bytes.NewReader(body))
	if err != nil {
		return "", 0, err
	}
	request.Header.Set("Content-Type", "application/json")
	if key != "" {
		request.Header.Set("Idempotency-Key", key)
	}
	answer, err := c.http.Do(request)
	if err != nil {
		return "", 0, err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		return "", 0, err
	}
	var got struct {
		ID string `json:"job_id"`
	}
	return got.ID, answer.StatusCode, json.Unmarshal(text, &got)
}

// standing are the numbers of jobs that have not come to their end.
func (c *client) standing() (n int, err error) {
	answer, err := c.http.Get("http://" + c.At + "/metrics")
	if err != nil {
		return 0, err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		return 0, err
	}
	found := 0
	for line := range strings.Lines(string(text)) {
		rest, is := strings.CutPrefix(line, "neap_jobs{")
		if !is {
			continue
		}
		_, number, _ := strings.Cut(strings.TrimSpace(rest), "} ")
		jobs, err := strconv.ParseFloat(number, 64)
		if err != nil {
			return 0, err
		}
		found, n = found+1, n+int(jobs)
	}
	if found != 4 {
		return 0, fmt.Errorf("the metrics tell %d of four kinds of jobs", found)
	}
	return n, nil
}

// memory is the node's resident memory in MiB, now and at most.
func (c *client) memory() (now, most int, err error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", c.running.Process.Pid))
	if err != nil {
		return 0, 0, err
	}
	read := func(name string) int {
		_, rest, _ := strings.Cut(string(text), name+":")
		fields := strings.Fields(rest)
		if len(fields) == 0 {
			return 0
		}
		kb, err := strconv.Atoi(fields[0])
		if err != nil {
			return 0
		}
		return kb / 1024
	}
	return read("VmRSS"), read("VmHWM"), nil
}
