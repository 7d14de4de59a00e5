package app_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/neap-cloud/neap/internal/app"
	"github.com/neap-cloud/neap/internal/apptest"
	"github.com/neap-cloud/neap/internal/batch/batchtest"
	"github.com/neap-cloud/neap/internal/dialect/compose"
	"github.com/neap-cloud/neap/internal/identity"
	"github.com/neap-cloud/neap/internal/identity/policy"
	"github.com/neap-cloud/neap/internal/op"
	"github.com/neap-cloud/neap/internal/runtime"
	"github.com/neap-cloud/neap/internal/store"
)

// The isolation matrix asks every operation of every dialect, as the server lists them, in every state that a credential can be in. A new row is in it by itself.

// tenant is one of two organisations that have the same names for everything.
type tenant struct {
	id       string
	accounts [2]string
	ids      map[string]string // by the noun of a path's parameter
	number   string            // of the user among them
	canaries []string          // what nobody else may ever read
	admin    holder
}

// holder is a user with a credential for each way of carrying one.
type holder struct {
	user         identity.User
	text, pair   string
	token, other string // ids of the two
}

// carry puts a credential into a request the way that the dialect's clients do.
func (h holder) carry(dialect string, r *http.Request) {
	switch dialect {
	case "cmpute":
		r.Header.Set("Authorization", "ApiKey "+h.pair)
	case "mapsor":
		query := r.URL.Query()
		query.Set("token", h.text)
		r.URL.RawQuery = query.Encode()
	default:
		r.Header.Set("Authorization", "Bearer "+h.text)
	}
}

// missing is how each dialect says that there is no such object.
var missing = map[string][]int{"spot": {400}, "neap": {404}, "cmpute": {404}, "compose": {404, 422}, "mapsor": {400, 404}, "launch": {404}}

type matrix struct {
	*apptest.Neap
	north, south tenant
}

func (m *matrix) user(organisation, name string, change func(*identity.User)) holder {
	m.T.Helper()
	u := identity.User{Organisation: organisation, Program: true, Name: name}
	if change != nil {
		change(&u)
	}
	made, text, err := m.Identity.CreateUser(m.T.Context(), identity.NewUser{User: u, Token: "bearer"})
	m.check(err)
	return m.holder(made, text)
}

func (m *matrix) holder(u identity.User, text string) holder {
	m.T.Helper()
	pair, made, err := m.Identity.CreateToken(m.T.Context(), u.Organisation, identity.NewToken{User: u.ID, Name: "pair", Kind: identity.AccessKey})
	m.check(err)
	return holder{user: u, text: text, pair: pair, token: "tok-" + text[5:13], other: made.ID}
}

func (m *matrix) check(err error) {
	m.T.Helper()
	if err != nil {
		m.T.Fatal(err)
	}
}

func (m *matrix) tenant(name string) (t tenant) {
	m.T.Helper()
	ctx := m.T.Context()
	of, err := m.Identity.AddOrganisation(ctx, m.Account.Organisation, "Acme")
	m.check(err)
	t.id = of.ID
	for n, account := range []string{"prod", "test"} {
		made, err := m.Identity.AddAccount(ctx, identity.Account{Organisation: of.ID, Name: account, Cloud: "sim", Provider: "AWS"})
		m.check(err)
		t.accounts[n] = made.ID
	}
	text, _, err := m.Identity.CreateToken(ctx, of.ID, identity.NewToken{Name: "admin"})
	m.check(err)
	owner, err := m.Identity.User(ctx, of.ID, of.Owner)
	m.check(err)
	t.admin = m.holder(owner, text)
	if name == "south" { // whose numbers of users are then none of north's
		for range 100 {
			_, _, err := m.Identity.CreateToken(ctx, of.ID, identity.NewToken{Name: "filler"})
			m.check(err)
		}
	}
	person, _, err := m.Identity.CreateUser(ctx, identity.NewUser{User: identity.User{Organisation: of.ID, Email: "ada@example.com", First: "Ada", Last: "Byron", Phone: name + "-canary"}})
	m.check(err)
	robot := m.user(of.ID, "robot", nil)
	team, err := m.Identity.CreateGroup(ctx, identity.Group{Organisation: of.ID, Name: "team", Description: name + "-canary", Users: []string{person.ID}})
	m.check(err)
	document, err := m.Identity.CreatePolicy(ctx, identity.Policy{Organisation: of.ID, Name: "scale", Description: name + "-canary", Content: policy.Document{
		Statements: []policy.Statement{{Effect: policy.Allow, Actions: []string{"elastigroup:scale*"}, Resources: []string{"*"}}},
	}})
	m.check(err)
	body, err := os.ReadFile("../dialect/spot/elastigroup/testdata/group-small.json")
	m.check(err)
	group := m.ask(t.admin, "spot", http.MethodPost, "/aws/ec2/group?accountId="+t.accounts[0], string(body))
	if len(group.Items()) != 1 {
		m.T.Fatalf("no group: %s", group.Raw)
	}
	id := group.Items()[0]["id"].(string)
	var instance string
	m.Until("the group has an instance", time.Minute, func() bool {
		for _, item := range m.ask(t.admin, "spot", http.MethodGet, "/aws/ec2/group/"+id+"/status", "").Items() {
			instance, _ = item["instanceId"].(string)
		}
		return instance != ""
	})
	m.ask(t.admin, "neap", http.MethodPut, "/neap/v1/groups/"+id+"/experiments", `{"optedIn":true}`)
	trial := m.ask(t.admin, "neap", http.MethodPost, "/neap/v1/experiments?accountId="+t.accounts[0],
		`{"name":"`+name+`-canary","groups":["`+id+`"],"baseline":"lowest-price","for":"12d"}`)
	experiment, is := trial.Body["id"].(string)
	if !is {
		m.T.Fatalf("no experiment: %s", trial.Raw)
	}
	t.ids = map[string]string{
		"job": m.job(t, name, "true", "SUCCEEDED"), "running job": m.job(t, name, "hold", "RUNNING"),
		"experiment": experiment,
		"group":      id, "instance": instance, "account": t.accounts[0], "acct": t.accounts[0], "user": person.ID, "usergroup": team.ID, "team": team.ID, "policy": document.ID,
		"organization": of.ID, "token": t.admin.token, "programmatic": robot.user.ID,
	}
	t.number = strconv.Itoa(person.Number)
	t.canaries = append(slices.Sorted(maps.Values(t.ids)), t.accounts[1], t.admin.text, t.admin.pair, name+"-canary")
	t.canaries = append(t.canaries, spelled("cmpute", "account", t.accounts[0]), spelled("cmpute", "team", team.ID))
	for _, id := range t.ids {
		if wire := compose.ID(id); wire != "" {
			t.canaries = append(t.canaries, wire)
		}
	}
	return t
}

// job submits one that comes to a state and stays there.
func (m *matrix) job(t tenant, name, command, state string) (id string) {
	m.T.Helper()
	made := m.ask(t.admin, "neap", http.MethodPost, "/neap/v1/jobs?accountId="+t.accounts[0],
		fmt.Sprintf(`{"customer":"%s-canary","cloud":"aws","region":"us-east-1","id":"nightly","image":"any","command":[%q]}`, name, command))
	id, is := made.Body["id"].(string)
	if !is {
		m.T.Fatalf("no job: %s", made.Raw)
	}
	m.Until("the job is "+state, 30*time.Minute, func() bool {
		return m.ask(t.admin, "neap", http.MethodGet, "/neap/v1/jobs/"+id, "").Body["state"] == state
	})
	return id
}

// runsJobs gives a Neap that is tested something to run jobs on.
func runsJobs(t *testing.T) func(*app.Config) {
	t.Helper()
	tasks, err := batchtest.NewInstant(filepath.Join(t.TempDir(), "tasks"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := tasks.Close(); err != nil {
			t.Error(err)
		}
	})
	return func(c *app.Config) {
		c.Jobs.VCPUs, c.Jobs.MemoryMiB, c.Jobs.Hosted = 64, 1<<18, []runtime.Runtime{tasks}
	}
}

// ask sends a request with a credential in its dialect's way.
func (m *matrix) ask(h holder, dialect, method, path, body string) apptest.Answer {
	m.T.Helper()
	r, err := http.NewRequestWithContext(m.T.Context(), method, m.URL+path, strings.NewReader(body))
	m.check(err)
	h.carry(dialect, r)
	response, err := http.DefaultClient.Do(r)
	m.check(err)
	defer response.Body.Close()
	raw, err := io.ReadAll(response.Body)
	m.check(err)
	a := apptest.Answer{Status: response.StatusCode, Header: response.Header, Raw: raw}
	if len(raw) > 0 {
		_ = json.Unmarshal(raw, &a.Body) // an answer without an object has no items
	}
	return a
}

var placeholder = regexp.MustCompile(`\{([^}]+)\}`)

// path fills an operation's path with objects of a tenant, by what the parameter and the segment before it are called.
func (t tenant) path(o op.Operation) (path string, filled bool) {
	segments := strings.Split(o.Path, "/")
	for n, segment := range segments {
		found := placeholder.FindStringSubmatch(segment)
		if found == nil {
			continue
		}
		filled = true
		noun := strings.ToLower(strings.NewReplacer("Id", "", "_id", "", "Name", "").Replace(found[1]))
		if noun == "id" || noun == "" {
			noun = strings.TrimSuffix(segments[n-1], "s")
		}
		if noun == "user" && segments[n-1] == "programmatic" {
			noun = "programmatic"
		}
		if noun == "account" && o.Dialect == "compose" {
			noun = "organization"
		}
		if o.Dialect == "mapsor" && found[1] == "id" || noun == "job" {
			noun = "job"
			if strings.Contains(o.Path, "cancel") { // only such a one can be
				noun = "running job"
			}
		}
		id, known := t.ids[noun]
		if !known {
			id = noun + "-00000000"
		}
		if o.Dialect == "cmpute" && noun == "user" {
			id = t.number
		}
		segments[n] = spelled(o.Dialect, noun, id)
	}
	return strings.Join(segments, "/"), filled
}

// spelled is an id as the dialect writes it.
func spelled(dialect, noun, id string) string {
	_, digits, _ := strings.Cut(id, "-")
	if dialect == "compose" && compose.ID(id) != "" {
		return compose.ID(id)
	}
	if dialect == "cmpute" {
		switch noun {
		case "account":
			return "A-" + strings.ToUpper(digits)
		case "team":
			return "Z-" + strings.ToUpper(digits)
		}
	}
	return url.PathEscape(id)
}

// state is what is stored for people, without what the engine does meanwhile.
func (m *matrix) state() map[string]string {
	m.T.Helper()
	all := map[string]string{}
	for _, table := range []string{"organisations", "accounts", "users", "user_groups", "policies", "tokens", "credentials", "groups", "revisions", "webhooks", "experiments", "experiment_groups", "jobs", "job_queues"} {
		docs, _, err := (store.Collection[map[string]any]{Table: table}).List(m.T.Context(), m.DB(), store.Installation(), store.Query{})
		m.check(err)
		for _, d := range docs {
			delete(d.Value, "Used") // noted by the hour
			text, err := json.Marshal(d.Value)
			m.check(err)
			all[table+" "+d.ID] = d.State + " " + string(text)
		}
	}
	return all
}

// cell is one state of a credential, and what has to come of it.
type cell struct {
	name string
	who  func() holder
	// of is whose objects the path names; north's if nil.
	of *tenant
	// account to name in the query, where the operation takes one.
	account string
	// covers says which operations it is asked of; nil = all that are not open.
	covers func(o op.Operation, named bool) bool
	// statuses that are right.
	statuses func(o op.Operation, named bool) []int
	never    []int // statuses that are wrong
}

func always(statuses ...int) func(op.Operation, bool) []int {
	return func(op.Operation, bool) []int { return statuses }
}

// everybodys are the needs that every user of an organisation has.
func everybodys(o op.Operation) bool {
	return slices.Contains([]string{
		"setup:describeSelf", "setup:describeColleagues", "setup:describeTeams", "setup:describeTeam", "setup:describeOwnAccounts", "setup:describeOwnAuditEvents",
		"setup:createOwnToken", "neap:readStatus", "neap:listAccounts", "neap:createToken", "neap:listTokens", "neap:revokeToken",
	}, o.Need)
}

func (m *matrix) cells() []cell {
	north := m.north.id
	broken := func(text, pair string) func() holder { return func() holder { return holder{text: text, pair: pair} } }
	spoiled := func(name string, change func(h holder)) func() holder {
		return func() holder {
			h := m.user(north, name, nil)
			change(h)
			return h
		}
	}
	viewer := m.user(north, "viewer", func(u *identity.User) { u.Role = identity.Viewer })
	member := m.user(north, "member", nil)
	elsewhere := m.user(north, "elsewhere", func(u *identity.User) {
		u.Accounts = map[string]identity.Grant{m.north.accounts[1]: {Role: identity.Editor}}
	})
	nothing, err := m.Identity.CreatePolicy(m.T.Context(), identity.Policy{Organisation: north, Name: "nothing", Type: identity.ForOrganisation, Content: policy.Document{
		Statements: []policy.Statement{{Effect: policy.Deny, Actions: []string{"*"}, Resources: []string{"*"}}},
	}})
	m.check(err)
	denied := m.user(north, "denied", func(u *identity.User) {
		u.Accounts = map[string]identity.Grant{m.north.accounts[0]: {Role: identity.Editor}, m.north.accounts[1]: {Role: identity.Editor}}
		u.Policies = []identity.Mapping{{Policy: nothing.ID}}
	})
	is := func(h holder) func() holder { return func() holder { return h } }
	good := m.north.admin
	forged := good.text[:20] + strings.Repeat("a", 30) + good.text[50:]
	refused := func(o op.Operation, named bool) []int { // a refusal to look at an object reads like a missing one
		if named {
			return append([]int{403}, missing[o.Dialect]...)
		}
		return []int{403}
	}
	return []cell{
		// First, before the audit holds what north asked for of south's. Only who runs the installation reads its chain.
		{name: "all in order", who: is(good), covers: func(o op.Operation, _ bool) bool { return !o.Mutates && o.Need != "neap:readAuditChain" }, never: []int{401, 403, 500}},
		{name: "no token", who: broken("", ""), statuses: always(401)},
		{name: "malformed token", who: broken("letmein", "letmein"), statuses: always(401)},
		{name: "mistyped token", who: broken(forged, good.pair+"x"), statuses: always(401)},
		{name: "expired token", who: spoiled("expired", m.expire), statuses: always(401)},
		{name: "revoked token", who: spoiled("revoked", func(h holder) {
			m.check(m.Identity.RevokeToken(m.T.Context(), north, "", h.token))
			m.check(m.Identity.RevokeToken(m.T.Context(), north, "", h.other))
		}), statuses: always(401)},
		{name: "disabled user", who: spoiled("disabled", func(h holder) {
			_, err := m.Identity.UpdateUser(m.T.Context(), north, h.user.ID, func(u *identity.User) error { u.Disabled = true; return nil })
			m.check(err)
		}), statuses: always(401)},
		{name: "other tenant's objects", who: is(good), of: &m.south, covers: func(o op.Operation, named bool) bool { return named }, statuses: func(o op.Operation, _ bool) []int {
			return append([]int{403}, missing[o.Dialect]...)
		}},
		{name: "other tenant's account", who: is(good), account: m.south.accounts[0], covers: func(o op.Operation, named bool) bool { return o.Account != "" }, statuses: refused},
		{name: "viewer", who: is(viewer), covers: func(o op.Operation, _ bool) bool { return o.Mutates && !everybodys(o) }, statuses: refused},
		{name: "member", who: is(member), covers: func(o op.Operation, _ bool) bool { return !everybodys(o) }, statuses: refused},
		{name: "wrong account", who: is(elsewhere), account: m.north.accounts[0], covers: func(o op.Operation, named bool) bool { return o.Account != "" }, statuses: refused},
		{name: "policy denying", who: is(denied), statuses: refused},
	}
}

// expire makes both tokens of somebody end in the past.
func (m *matrix) expire(h holder) {
	tokens := store.Collection[map[string]any]{Table: "tokens", Noun: "token"}
	for _, id := range []string{h.token, h.other} {
		doc, err := tokens.Get(m.T.Context(), m.DB(), store.Installation(), id)
		m.check(err)
		doc.Value["Expires"] = time.Now().Add(-time.Minute)
		_, err = tokens.Update(m.T.Context(), m.DB(), doc)
		m.check(err)
	}
}

func TestNoOperationAnswersAnybodyWhoMayNotAsk(t *testing.T) {
	m := &matrix{Neap: apptest.Start(t, runsJobs(t))}
	m.north, m.south = m.tenant("north"), m.tenant("south")
	asked := 0
	for _, c := range m.cells() {
		t.Run(c.name, func(t *testing.T) {
			who, of := c.who(), &m.north
			if c.of != nil {
				of = c.of
			}
			before := m.state()
			for _, o := range app.Operations() {
				path, named := of.path(o)
				if o.Open || c.covers != nil && !c.covers(o, named) {
					continue
				}
				if c.account != "" {
					path += "?" + o.Account + "=" + c.account
				}
				asked++
				a := m.ask(who, o.Dialect, o.Method, path, "{}")
				if c.statuses != nil && !slices.Contains(c.statuses(o, named), a.Status) {
					t.Errorf("%s (%s, %s %s) answers %d, want one of %v: %.300s", o.ID, o.Need, o.Method, path, a.Status, c.statuses(o, named), a.Raw)
				}
				if slices.Contains(c.never, a.Status) {
					t.Errorf("%s (%s, %s %s) answers %d: %.300s", o.ID, o.Need, o.Method, path, a.Status, a.Raw)
				}
				m.nothingForeign(t, o, path, a)
			}
			if after := m.state(); !maps.Equal(before, after) {
				t.Errorf("something changed: %s", difference(before, after))
			}
		})
	}
	t.Logf("%d requests to %d operations", asked, len(app.Operations()))
}

// Policies and the standard roles go by the verb of a need: what reads has to say so, and nothing else may.
func TestANeedSaysWhetherItOnlyReads(t *testing.T) {
	reads := regexp.MustCompile(`^[a-z][A-Za-z]*:(describe|list|read)[A-Z]`)
	for _, o := range app.Operations() {
		if !o.Open && reads.MatchString(o.Need) == o.Mutates {
			t.Errorf("%s needs %s and mutates: %v", o.ID, o.Need, o.Mutates)
		}
	}
}

// nothingForeign looks for what only the other tenant may read; what the request itself said may be repeated.
func (m *matrix) nothingForeign(t *testing.T, o op.Operation, path string, a apptest.Answer) {
	t.Helper()
	for _, canary := range m.south.canaries {
		if strings.Contains(string(a.Raw), canary) && !strings.Contains(path, canary) {
			t.Errorf("%s shows %q: %.300s", o.ID, canary, a.Raw)
		}
		if packed := base64.StdEncoding.EncodeToString([]byte(canary)); strings.Contains(string(a.Raw), packed) {
			t.Errorf("%s shows %q in base 64", o.ID, canary)
		}
	}
}

func difference(before, after map[string]string) string {
	var changed []string
	for key, text := range after {
		if before[key] != text {
			changed = append(changed, fmt.Sprintf("%s: %.200s → %.200s", key, before[key], text))
		}
	}
	for key := range before {
		if _, still := after[key]; !still {
			changed = append(changed, key+" is gone")
		}
	}
	return strings.Join(changed, "; ")
}
