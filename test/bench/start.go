package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// measureStart times a fresh `neap up` of the real binary: until it is ready, and until the demo group has its target.
func measureStart(ctx context.Context, folder string) ([]figure, error) {
	binary := filepath.Join(folder, "neap")
	if out, err := exec.CommandContext(ctx, "go", "build", "-o", binary, "./cmd/neap").CombinedOutput(); err != nil {
		return nil, fmt.Errorf("build: %w\n%s", err, out)
	}
	address, err := freeAddress()
	if err != nil {
		return nil, err
	}
	data := filepath.Join(folder, "start")
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	neap := exec.CommandContext(ctx, binary, "up", "--data", data, "--listen", address, "--log-level", "error")
	neap.Cancel = func() error { return neap.Process.Signal(syscall.SIGTERM) }
	began := time.Now()
	if err := neap.Start(); err != nil {
		return nil, err
	}
	ready, err := until(ctx, began, func() (bool, error) { return isReady(ctx, address) })
	if err == nil {
		var full time.Duration
		full, err = until(ctx, began, func() (bool, error) { return demoIsFull(ctx, address, data) })
		if err == nil {
			cancel()
			stopped := neap.Wait()
			if stopped != nil && !errors.Is(stopped, context.Canceled) {
				return nil, fmt.Errorf("neap did not stop gracefully: %w", stopped)
			}
			return []figure{
				within("/readyz answers after the start of the process", ready, time.Second),
				within("the demo group is at its target after the start", full, 10*time.Second),
			}, nil
		}
	}
	cancel()
	return nil, errors.Join(err, neap.Wait())
}

// until asks every 10 ms, and returns the time since began at which the answer was yes.
func until(ctx context.Context, began time.Time, ask func() (bool, error)) (time.Duration, error) {
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		if yes, err := ask(); err != nil || yes {
			return time.Since(began), err
		}
		select {
		case <-ctx.Done():
			return 0, errors.New("waited for a minute in vain")
		case <-tick.C:
		}
	}
}

func freeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}

// isReady takes a refused connection for "not yet".
func isReady(ctx context.Context, address string) (bool, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+"/readyz", nil)
	if err != nil {
		return false, err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return false, nil
	}
	return response.StatusCode == http.StatusOK, response.Body.Close()
}

func demoIsFull(ctx context.Context, address, data string) (bool, error) {
	token, err := os.ReadFile(filepath.Join(data, "admin-token"))
	if err != nil {
		return false, err
	}
	var groups, members envelope
	if err := get(ctx, address, "/aws/ec2/group", string(token), &groups); err != nil || len(groups.Response.Items) == 0 {
		return false, err
	}
	group := groups.Response.Items[0]
	if err := get(ctx, address, "/aws/ec2/group/"+group.ID+"/status", string(token), &members); err != nil {
		return false, err
	}
	running := 0
	for _, m := range members.Response.Items {
		if m.Status == "fulfilled" {
			running++
		}
	}
	return running >= group.Capacity.Target, nil
}

// envelope is what is read of the Spot API's answers.
type envelope struct {
	Response struct {
		Items []struct {
			ID       string `json:"id"`
			Status   string `json:"status"`
			Capacity struct {
				Target int `json:"target"`
			} `json:"capacity"`
		} `json:"items"`
	} `json:"response"`
}

func get(ctx context.Context, address, path, token string, into any) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+path, nil)
	if err != nil {
		return err
	}
	request.Header.Set("Authorization", "Bearer "+strings.TrimSpace(token))
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("GET %s: %s", path, response.Status)
	}
	return json.NewDecoder(response.Body).Decode(into)
}
