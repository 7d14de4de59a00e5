package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"time"
)

// client speaks to Neap as any user does.
type client struct {
	base, token, account string
	asked                atomic.Int64
}

func freeAddress() (string, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	address := listener.Addr().String()
	return address, listener.Close()
}

func (c *client) call(ctx context.Context, method, path, body string, into any) error {
	request, err := http.NewRequestWithContext(ctx, method, c.base+path, strings.NewReader(body))
	if err != nil {
		return err
	}
	request.Header.Set("Authorization", "Bearer "+c.token)
	if body != "" {
		request.Header.Set("Content-Type", "application/json")
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		return err
	}
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("%s %s: %d %.300s", method, path, answer.StatusCode, text)
	}
	if into == nil {
		return nil
	}
	return json.Unmarshal(text, into)
}

func (c *client) ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for {
		if err := c.call(ctx, http.MethodGet, "/readyz", "", nil); err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("neap is not ready: %w", ctx.Err())
		case <-time.After(50 * time.Millisecond):
		}
	}
}

const group = `{"group": {"name": "soak-%d", "region": "us-east-1", "capacity": {"target": 5, "minimum": 1, "maximum": 10, "unit": "instance"},
  "strategy": {"risk": 80, "availabilityVsCost": "balanced", "fallbackToOd": true, "drainingTimeout": 60},
  "compute": {"product": "Linux/UNIX", "instanceTypes": {"ondemand": "m5.large", "spot": ["m5.large", "m5a.large", "m6i.large", "c5.large", "c6i.large", "r5.large"]},
    "availabilityZones": [{"name": "us-east-1a", "subnetIds": ["subnet-0de30a01"]}, {"name": "us-east-1b", "subnetIds": ["subnet-0de30b02"]}],
    "launchSpecification": {"imageId": "ami-0de30000000000001", "securityGroupIds": ["sg-0de30000000000001"], "healthCheckType": "EC2", "healthCheckGracePeriod": 60}}}}`

func (c *client) makeGroups(ctx context.Context, count int) ([]string, error) {
	var ids []string
	for n := range count {
		var made struct {
			Response struct {
				Items []struct {
					ID string `json:"id"`
				} `json:"items"`
			} `json:"response"`
		}
		if err := c.call(ctx, http.MethodPost, "/aws/ec2/group?accountId="+c.account, fmt.Sprintf(group, n), &made); err != nil {
			return nil, err
		}
		if len(made.Response.Items) != 1 {
			return nil, fmt.Errorf("group %d: the answer holds %d groups", n, len(made.Response.Items))
		}
		ids = append(ids, made.Response.Items[0].ID)
	}
	return ids, nil
}

// load changes capacities at random until ctx ends, and tells how often it was refused.
func (c *client) load(ctx context.Context, groups []string, p plan) (refused int) {
	every := time.NewTicker(time.Duration(float64(time.Hour) / p.changes / p.rate))
	defer every.Stop()
	dice := rand.New(rand.NewPCG(1, 2))
	for {
		select {
		case <-ctx.Done():
			return refused
		case <-every.C:
		}
		id, target := groups[dice.IntN(len(groups))], 1+dice.IntN(10)
		body := fmt.Sprintf(`{"capacity": {"target": %d, "minimum": 1, "maximum": 10}}`, target)
		c.asked.Add(1)
		if err := c.call(ctx, http.MethodPut, "/aws/ec2/group/"+id+"/capacity?accountId="+c.account, body, nil); err != nil && ctx.Err() == nil {
			if refused++; refused == 1 {
				fmt.Println("the first refusal:", err)
			}
		}
	}
}
