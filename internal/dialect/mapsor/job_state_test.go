package mapsor_test

import (
	"testing"

	"github.com/neap-cloud/neap/internal/apptest"
	"github.com/neap-cloud/neap/internal/batch"
)

// lives are the states that a job can be seen in, and how it comes there. A job is never seen as SUBMITTED: it has its next state by the time that its id is answered.
var lives = map[batch.State]func(n *apptest.Neap) (id string){
	batch.Pending: func(n *apptest.Neap) string {
		id := submitted(n, n.Admin, document("lightning", waiting(n)))
		settles(n, id, batch.Pending)
		return id
	},
	batch.Runnable: func(n *apptest.Neap) string { // its machine boots for as long as the clock stands still
		id := submitted(n, n.Admin, document("lightning", container))
		settles(n, id, batch.Runnable)
		return id
	},
	batch.Starting: func(n *apptest.Neap) string { // so does its instance
		id := submitted(n, n.Admin, document("lightning", machine))
		settles(n, id, batch.Starting)
		return id
	},
	batch.Running:   func(n *apptest.Neap) string { return brought(n, holding, batch.Running) },
	batch.Succeeded: func(n *apptest.Neap) string { return brought(n, container, batch.Succeeded) },
	batch.Failed:    func(n *apptest.Neap) string { return brought(n, failing, batch.Failed) },
	batch.TimedOut:  func(n *apptest.Neap) string { return brought(n, holding+`,"timeout":1`, batch.TimedOut) },
	batch.Rejected:  func(n *apptest.Neap) string { return brought(n, container+`,"queue":"nobodys"`, batch.Rejected) },
	batch.Cancelled: func(n *apptest.Neap) string {
		id := submitted(n, n.Admin, document("lightning", holding))
		if a := send(n, "GET", "/cancel/"+id, n.Admin, ""); a.Status != 200 {
			n.T.Fatalf("cancel: %d %s", a.Status, a.Raw)
		}
		return id
	},
}

func brought(n *apptest.Neap, members string, to batch.State) string {
	n.T.Helper()
	id := submitted(n, n.Admin, document("lightning", members))
	becomes(n, id, to)
	return id
}

// verdict is an answer's status and code; "" = a success.
type verdict struct {
	status int
	code   string
}

// due is what an operation on a job in a state answers a role.
func due(operation, role string, in batch.State) verdict {
	reads := operation == "status" || operation == "logs"
	switch {
	case role == "nobody":
		return verdict{401, "UNAUTHORIZED"}
	case role == "foreign":
		return verdict{404, "NOT_FOUND"}
	case role == "monitor", role == "viewer" && !reads:
		return verdict{403, "FORBIDDEN"}
	case role == "member": // it may do nothing in this account, and so does not know what is there
		return verdict{404, "NOT_FOUND"}
	case operation == "logs" && in == batch.Rejected, operation == "cancel" && in.Final(), operation == "retry" && !in.Final():
		return verdict{400, "BAD_STATE"}
	}
	return verdict{200, ""}
}

func TestEveryOperationAnswersEveryRoleByTheStateOfTheJob(t *testing.T) {
	for in, bring := range lives {
		t.Run(string(in), func(t *testing.T) {
			n := start(t)
			tokens, id := others(n), bring(n)
			ask := func(operation, role, id string) apptest.Answer {
				t.Helper()
				a, want := send(n, "GET", "/"+operation+"/"+id, tokens[role], ""), due(operation, role, in)
				if a.Status != want.status || code(a.Body) != want.code || want.status == 200 && a.Header.Get("Cache-Control") != "no-store" {
					t.Errorf("%s as %s: %d %s, want %v", operation, role, a.Status, a.Raw, want)
				}
				return a
			}
			for role := range tokens {
				ask("status", role, id)
				ask("logs", role, id)
				for _, operation := range []string{"cancel", "retry"} {
					if due(operation, role, in).status != 200 {
						ask(operation, role, id)
					}
				}
				mayList(t, n, role, tokens[role], id, in)
			}
			if now := state(n, id); now != in {
				t.Fatalf("refusals and reads made it %s", now)
			}
			for _, role := range []string{"admin", "operator"} {
				if in.Final() {
					retried(t, n, ask("retry", role, id), id, in)
				} else {
					other := bring(n)
					if a := ask("cancel", role, other); a.Body["response"] != "Cancelled job" || state(n, other) != batch.Cancelled {
						t.Errorf("cancel as %s: %s, and the job is %s", role, a.Raw, state(n, other))
					}
				}
			}
		})
	}
}

// mayList looks whether a job is in the list of those who may see it, and in nobody else's.
func mayList(t *testing.T, n *apptest.Neap, role, token, id string, in batch.State) {
	t.Helper()
	switch role {
	case "nobody", "member":
		want := map[string]verdict{"nobody": {401, "UNAUTHORIZED"}, "member": {403, "FORBIDDEN"}}[role]
		if a := send(n, "GET", "/list?customer=lightning"+always, token, ""); a.Status != want.status || code(a.Body) != want.code {
			t.Errorf("list as %s: %d %s", role, a.Status, a.Raw)
		}
	case "foreign":
		if jobs := listed(n, token, "customer=lightning"+always); len(jobs) > 0 {
			t.Errorf("another organisation sees %v", jobs)
		}
	default:
		if jobs := listed(n, token, "customer=lightning"+always); len(jobs) != 1 || jobs[0]["job_id"] != id || jobs[0]["status"] != string(in) {
			t.Errorf("list as %s: %v, want %s in state %s", role, jobs, id, in)
		}
	}
}

// retried looks at the new job, and that the old one is as it was.
func retried(t *testing.T, n *apptest.Neap, a apptest.Answer, id string, in batch.State) {
	t.Helper()
	fresh, _ := a.Body["job_id"].(string)
	if fresh == "" || fresh == id || state(n, id) != in {
		t.Errorf("retry of %s: %s, and the old job is %s", id, a.Raw, state(n, id))
		return
	}
	for _, job := range listed(n, n.Admin, "customer=lightning"+always) {
		switch job["job_id"] {
		case fresh:
			if job["retry_of"] != id {
				t.Errorf("the new job is %v", job)
			}
		case id:
			if job["retry_of"] != nil {
				t.Errorf("the old job is %v", job)
			}
		}
	}
}
