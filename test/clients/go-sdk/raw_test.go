package gosdk

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"testing"
)

// item is one element of an answer.
type item = map[string]any

// raw makes a call that the client has no method for. It fails the test unless the answer is exactly 200 in the envelope.
func (s server) raw(ctx context.Context, t *testing.T, method, path string, query url.Values, body any, header ...string) ([]item, http.Header) {
	t.Helper()
	status, answer, got := s.ask(ctx, t, method, path, query, body, header...)
	if status != http.StatusOK {
		t.Fatalf("%s %s: %d %s", method, path, status, answer)
	}
	var envelope struct {
		Request  struct{ ID string }
		Response struct {
			Status struct{ Code int }
			Items  []item
			Count  int
		}
	}
	if err := json.Unmarshal(answer, &envelope); err != nil {
		t.Fatalf("%s %s answers %s: %v", method, path, answer, err)
	}
	if r := envelope.Response; envelope.Request.ID == "" || r.Status.Code != http.StatusOK || r.Count != len(r.Items) {
		t.Errorf("%s %s: the envelope does not hold together: %s", method, path, answer)
	}
	return envelope.Response.Items, got
}

func (s server) ask(ctx context.Context, t *testing.T, method, path string, query url.Values, body any, header ...string) (int, []byte, http.Header) {
	t.Helper()
	if query == nil {
		query = url.Values{}
	}
	query.Set("accountId", s.account)
	content := &bytes.Buffer{}
	if body != nil {
		if err := json.NewEncoder(content).Encode(body); err != nil {
			t.Fatal(err)
		}
	}
	request, err := http.NewRequestWithContext(ctx, method, s.url+path+"?"+query.Encode(), content)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+s.token)
	if body != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i+1 < len(header); i += 2 {
		request.Header.Set(header[i], header[i+1])
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	answer := &bytes.Buffer{}
	if _, err := answer.ReadFrom(response.Body); err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, answer.Bytes(), response.Header
}
