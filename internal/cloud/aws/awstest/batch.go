package awstest

import (
	"encoding/json"
	"net/http"
	"testing"
)

// JobQueue makes a queue of AWS Batch, with a place to run of its own. Its jobs run their commands as processes of the server's machine.
func (s Server) JobQueue(t testing.TB, region, name string, isOpen bool) {
	t.Helper()
	role := s.Role(t, `{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"Service": "batch.amazonaws.com"}, "Action": "sts:AssumeRole"}]}`)
	s.Batch(t, region, "createcomputeenvironment", map[string]any{"computeEnvironmentName": name, "type": "UNMANAGED", "state": "ENABLED", "serviceRole": role})
	state := "DISABLED"
	if isOpen {
		state = "ENABLED"
	}
	s.Batch(t, region, "createjobqueue", map[string]any{"jobQueueName": name, "priority": 1, "state": state,
		"computeEnvironmentOrder": []map[string]any{{"order": 1, "computeEnvironment": name}}})
}

// Batch makes one call of AWS Batch as the administrator, past any Front, and returns the answer.
func (s Server) Batch(t testing.TB, region, operation string, body any) []byte {
	t.Helper()
	text, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	return s.send(t, "batch", region, "/v1/"+operation, operation, http.Header{"Content-Type": {"application/json"}}, string(text))
}
