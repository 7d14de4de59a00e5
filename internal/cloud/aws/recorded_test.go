package aws_test

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/neap-cloud/neap/internal/cloud"
	"github.com/neap-cloud/neap/internal/cloud/aws"
	"github.com/neap-cloud/neap/internal/cloud/aws/awstest"
)

// What moto can't answer is answered here in the shapes that EC2 documents: in memory, because a server on this machine may answer before the SDK has let go of the
// request, which then costs it the connection.

// shapes answers requests by their parameters, and counts them by action.
type shapes struct {
	say   func(form url.Values) (status int, body string)
	mu    sync.Mutex
	calls map[string]int
}

// RoundTrip is http.RoundTripper's.
func (s *shapes) RoundTrip(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	form, err := url.ParseQuery(string(body))
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	s.calls[form.Get("Action")]++
	s.mu.Unlock()
	status, answer := s.say(form)
	return &http.Response{StatusCode: status, Request: r, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(answer))}, nil
}

// shaped is an account whose calls get what say gives for their parameters.
func shaped(t *testing.T, say func(form url.Values) (status int, body string)) (*aws.Account, func() map[string]int) {
	t.Helper()
	awstest.Be(t, awstest.Key{ID: "AKIA", Secret: secret})
	s := &shapes{say: say, calls: map[string]int{}}
	return open(t, aws.Config{}).Account("", "").Hurry().Through(s), func() map[string]int {
		s.mu.Lock()
		defer s.mu.Unlock()
		return maps.Clone(s.calls)
	}
}

// no is how EC2 refuses.
func no(status int, code, message string) func(url.Values) (int, string) {
	return func(url.Values) (int, string) {
		return status, fmt.Sprintf(`<Response><Errors><Error><Code>%s</Code><Message>%s</Message></Error></Errors><RequestID>r-1</RequestID></Response>`, code, message)
	}
}

func wanted() cloud.Launch {
	return cloud.Launch{Token: "t-1", Market: spotMarket(), Count: 3, Template: cloud.Template{Image: "ami-0abcdef1234567890"}}
}

func TestWhatEC2RefusesHasAKindAScopeAndAKey(t *testing.T) {
	spot := wanted().Market
	for name, c := range map[string]struct {
		status        int
		code, message string
		kind          cloud.RefusalKind
		scope         cloud.Scope
		key           string
		calls         int
	}{
		"a dry pool": {500, "InsufficientInstanceCapacity", "We currently do not have sufficient m5.large capacity in the Availability Zone you requested (us-east-1a).",
			cloud.NoCapacity, cloud.ScopePool, spot.PoolKey(), 1},
		"a type that the zone lacks": {400, "Unsupported", "Your requested instance type (m5.large) is not supported in your requested Availability Zone (us-east-1a).",
			cloud.NoCapacity, cloud.ScopePool, spot.PoolKey(), 1},
		"a full subnet": {400, "InsufficientFreeAddressesInSubnet", "There are not enough free addresses in subnet 'subnet-0abcdef1234567890' to satisfy the requested number of instances.",
			cloud.NoCapacity, cloud.ScopeSubnet, "subnet-0abcdef1234567890", 1},
		"the limit of vCPUs": {400, "VcpuLimitExceeded", "You have requested more vCPU capacity than your current vCPU limit of 32 allows.",
			cloud.NoQuota, cloud.ScopeQuota, "Standard/spot", 1},
		"the limit of spot": {400, "MaxSpotInstanceCountExceeded", "Max spot instance count exceeded", cloud.NoQuota, cloud.ScopeQuota, "Standard/spot", 1},
		"too many requests": {503, "RequestLimitExceeded", "Request limit exceeded.", cloud.Throttled, cloud.ScopeAccount, region, 3},
		"a token of another request": {400, "IdempotentParameterMismatch", "The client token you have provided is associated with a resource that is already deleted.",
			cloud.BadRequest, "", region, 1},
		"a missing image":  {400, "InvalidAMIID.NotFound", "The image id '[ami-0abcdef1234567890]' does not exist", cloud.BadRequest, "", region, 1},
		"old credentials":  {401, "AuthFailure", "AWS was not able to validate the provided access credentials", cloud.Denied, cloud.ScopeAccount, region, 1},
		"a strange region": {401, "OptInRequired", "You are not subscribed to this service.", cloud.Denied, cloud.ScopeAccount, region, 1},
	} {
		t.Run(name, func(t *testing.T) {
			a, calls := shaped(t, no(c.status, c.code, c.message))
			started, err := a.Launch(t.Context(), wanted())
			r := must(t, err, c.kind)
			if len(started) != 0 || r.Scope != c.scope || r.Key != c.key || r.Code != c.code {
				t.Errorf("%+v", r)
			}
			if n := calls()["RunInstances"]; n != c.calls {
				t.Errorf("asked %d times, want %d", n, c.calls)
			}
		})
	}
}

func TestWhenEC2ItselfFailsTheCallIsToBeRepeated(t *testing.T) {
	for _, c := range []struct {
		status int
		code   string
	}{{500, "InternalError"}, {503, "Unavailable"}, {400, "InternalFailure"}, {500, "SomethingNew"}} {
		a, _ := shaped(t, no(c.status, c.code, "An internal error has occurred"))
		if _, err := a.Launch(t.Context(), wanted()); err == nil || errors.As(err, new(*cloud.Refusal)) || !strings.Contains(err.Error(), "RunInstances") {
			t.Errorf("%s: %v, want an error that is no refusal", c.code, err)
		}
	}
	a, _ := shaped(t, func(url.Values) (int, string) { return http.StatusBadGateway, "<html>oops</html>" })
	if _, err := a.Describe(t.Context(), cloud.Query{Region: region}); err == nil || errors.As(err, new(*cloud.Refusal)) {
		t.Errorf("%v, want an error that is no refusal", err)
	}
}

func TestAMissingPermissionIsNamedWithoutTheEncodedMessage(t *testing.T) {
	const message = "You are not authorized to perform this operation. User: arn:aws:sts::123456789012:assumed-role/Neap/neap is not authorized to perform: iam:PassRole on resource: " +
		"arn:aws:iam::123456789012:role/web because no identity-based policy allows the iam:PassRole action. Encoded authorization failure message: 6hB3TqZ-secret-blob"
	a, _ := shaped(t, no(http.StatusForbidden, "UnauthorizedOperation", message))
	_, err := a.Launch(t.Context(), wanted())
	if r := must(t, err, cloud.Denied); !strings.Contains(r.Message, "iam:PassRole") || strings.Contains(r.Message, "blob") || strings.Contains(r.Message, "ncoded") {
		t.Errorf("%+v", r)
	}
	a, _ = shaped(t, no(http.StatusForbidden, "UnauthorizedOperation", "You are not authorized to perform this operation. Encoded authorization failure message: blob"))
	err = a.Terminate(t.Context(), region, []string{"i-0abcdef1234567890"})
	if r := must(t, err, cloud.Denied); !strings.Contains(r.Message, "TerminateInstances") || strings.Contains(r.Message, "blob") {
		t.Errorf("%+v", r)
	}
	a, _ = shaped(t, no(http.StatusForbidden, "SignatureDoesNotMatch", "The Canonical String should have been 'x-amz-security-token:the-token'"))
	_, err = a.Describe(t.Context(), cloud.Query{Region: region})
	if r := must(t, err, cloud.Denied); strings.Contains(r.Message, "the-token") {
		t.Errorf("%+v", r)
	}
}

// item is an instance as EC2 tells it.
func item(id, more string) string {
	return `<item><instanceId>` + id + `</instanceId><imageId>ami-0abcdef1234567890</imageId><instanceType>m5.large</instanceType><launchTime>2026-03-01T10:00:00.000Z</launchTime>` +
		`<placement><availabilityZone>us-east-1a</availabilityZone><groupName>pack</groupName></placement>` + more + `</item>`
}

const (
	runs = `<instanceState><code>16</code><name>running</name></instanceState>`
	over = `<instanceState><code>48</code><name>terminated</name></instanceState>`
)

// listing is an answer to DescribeInstances.
func listing(items, next string) string {
	if next != "" {
		next = "<nextToken>" + next + "</nextToken>"
	}
	return `<DescribeInstancesResponse><reservationSet><item><instancesSet>` + items + `</instancesSet></item></reservationSet>` + next + `</DescribeInstancesResponse>`
}

func TestEachEndIsToldWithItsReasonAndItsTime(t *testing.T) {
	user := time.Date(2026, 3, 1, 12, 30, 5, 0, time.UTC)
	for name, c := range map[string]struct {
		code, reason, ended string
		at                  time.Time
	}{
		"by a user":               {"Client.UserInitiatedShutdown", "User initiated (2026-03-01 12:30:05 GMT)", cloud.EndedByUser, user},
		"by the spot market":      {"Server.SpotInstanceTermination", "Server.SpotInstanceTermination", cloud.EndedByInterruption, time.Time{}},
		"by the market, dated":    {"Server.SpotInstanceTermination", "Server.SpotInstanceTermination (2026-03-01 12:30:05 GMT)", cloud.EndedByInterruption, user},
		"from inside":             {"Client.InstanceInitiatedShutdown", "", cloud.EndedByFailure, time.Time{}},
		"as AWS failed":           {"Server.InternalError", "Server.InternalError: Internal error on launch", cloud.EndedByFailure, time.Time{}},
		"with an impossible time": {"Client.UserInitiatedShutdown", "User initiated (2026-13-41 12:30:05 GMT)", cloud.EndedByUser, time.Time{}},
	} {
		t.Run(name, func(t *testing.T) {
			a, calls := shaped(t, func(url.Values) (int, string) {
				return 200, listing(item("i-0abcdef1234567890", over+`<reason>`+c.reason+`</reason><stateReason><code>`+c.code+`</code></stateReason>`), "")
			})
			found, err := a.Describe(t.Context(), cloud.Query{Region: region})
			if err != nil || len(found) != 1 || found[0].State != cloud.Terminated || found[0].Ended != c.ended || !found[0].EndedAt.Equal(c.at) {
				t.Errorf("%+v, %v", found, err)
			}
			if n := calls()["DescribeInstanceStatus"]; n != 0 {
				t.Error("asks for the checks of what has ended")
			}
		})
	}
}

func TestAnInstanceIsToldWithAllThatEC2SaysOfIt(t *testing.T) {
	more := runs + `<platformDetails>%s</platformDetails><keyName>ops</keyName><subnetId>subnet-1</subnetId><privateIpAddress>10.0.0.1</privateIpAddress><ipAddress>198.51.100.1</ipAddress>` +
		`<privateDnsName>ip-10-0-0-1.ec2.internal</privateDnsName><dnsName>ec2-198-51-100-1.compute-1.amazonaws.com</dnsName><instanceLifecycle>spot</instanceLifecycle>` +
		`<spotInstanceRequestId>sir-1</spotInstanceRequestId><tagSet><item><key>a</key><value>b</value></item></tagSet>`
	for details, product := range map[string]string{
		"Linux/UNIX": "Linux/UNIX", "Windows": "Windows", "Windows with SQL Server Standard": "Windows", "Windows BYOL": "Linux/UNIX", "Red Hat Enterprise Linux": "Red Hat Enterprise Linux",
		"Red Hat Enterprise Linux with HA": "Red Hat Enterprise Linux", "SUSE Linux": "SUSE Linux", "Ubuntu Pro Linux": "Linux/UNIX", "": "Linux/UNIX",
	} {
		a, _ := shaped(t, func(form url.Values) (int, string) {
			if form.Get("Action") == "DescribeInstanceStatus" {
				return 200, statuses("i-0abcdef1234567890", "ok", "impaired")
			}
			return 200, listing(item("i-0abcdef1234567890", fmt.Sprintf(more, details)), "")
		})
		found, err := a.Describe(t.Context(), cloud.Query{Region: region, IDs: []string{"i-0abcdef1234567890"}})
		if err != nil || len(found) != 1 {
			t.Fatal(found, err)
		}
		got := found[0]
		if got.Tags["a"] != "b" {
			t.Errorf("tags %v", got.Tags)
		}
		got.Tags = nil
		want := cloud.Instance{
			ID: "i-0abcdef1234567890", Request: "sir-1", Market: cloud.Market{Region: region, Zone: "us-east-1a", Type: "m5.large", Product: product, Lifecycle: cloud.Spot},
			State: cloud.Running, Status: cloud.StatusImpaired, Image: "ami-0abcdef1234567890", KeyPair: "ops", PlacementGroup: "pack", Subnet: "subnet-1", PrivateIP: "10.0.0.1",
			PublicIP: "198.51.100.1", PrivateDNS: "ip-10-0-0-1.ec2.internal", PublicDNS: "ec2-198-51-100-1.compute-1.amazonaws.com", LaunchedAt: time.Date(2026, 3, 1, 10, 0, 0, 0, time.UTC),
		}
		if fmt.Sprintf("%+v", got) != fmt.Sprintf("%+v", want) {
			t.Errorf("%q:\n got %+v\nwant %+v", details, got, want)
		}
	}
}

// statuses is an answer to DescribeInstanceStatus about one instance.
func statuses(id, system, own string) string {
	return `<DescribeInstanceStatusResponse><instanceStatusSet>` + status(id, system, own) + `</instanceStatusSet></DescribeInstanceStatusResponse>`
}

func status(id, system, own string) string {
	return `<item><instanceId>` + id + `</instanceId><systemStatus><status>` + system + `</status></systemStatus><instanceStatus><status>` + own + `</status></instanceStatus></item>`
}

func TestTheWorseOfTwoChecksCounts(t *testing.T) {
	for _, c := range []struct {
		system, own string
		want        cloud.Status
	}{
		{"ok", "ok", cloud.StatusOK}, {"impaired", "ok", cloud.StatusImpaired}, {"ok", "initializing", cloud.StatusInitializing}, {"initializing", "impaired", cloud.StatusImpaired},
		{"insufficient-data", "ok", cloud.StatusUnknown}, {"not-applicable", "not-applicable", cloud.StatusUnknown},
	} {
		a, _ := shaped(t, func(form url.Values) (int, string) {
			if form.Get("Action") == "DescribeInstanceStatus" {
				return 200, statuses("i-0abcdef1234567890", c.system, c.own)
			}
			return 200, listing(item("i-0abcdef1234567890", runs), "")
		})
		found, err := a.Describe(t.Context(), cloud.Query{Region: region})
		if err != nil || found[0].Status != c.want {
			t.Errorf("%s and %s: %+v, %v", c.system, c.own, found, err)
		}
	}
}

// herd is an EC2 of 5,000 running instances, told in pages of 1,000.
func herd(form url.Values) (int, string) {
	first, _ := strconv.Atoi(form.Get("NextToken"))
	next := ""
	if first+1000 < 5000 {
		next = strconv.Itoa(first + 1000)
	}
	var items strings.Builder
	for n := first; n < first+1000; n++ {
		id := fmt.Sprintf("i-%017x", n)
		if form.Get("Action") == "DescribeInstances" {
			items.WriteString(item(id, runs))
		} else {
			items.WriteString(status(id, "ok", "ok"))
		}
	}
	if form.Get("Action") == "DescribeInstances" {
		return 200, listing(items.String(), next)
	}
	return 200, `<DescribeInstanceStatusResponse><instanceStatusSet>` + items.String() + `</instanceStatusSet><nextToken>` + next + `</nextToken></DescribeInstanceStatusResponse>`
}

func TestALookAtFiveThousandInstancesTakesTenCalls(t *testing.T) {
	a, calls := shaped(t, func(form url.Values) (int, string) {
		if form.Get("MaxResults") != "1000" {
			t.Errorf("asks for %v", form)
		}
		return herd(form)
	})
	found, err := a.Describe(t.Context(), cloud.Query{Region: region, Tags: map[string]string{"owner": ""}})
	if err != nil || len(found) != 5000 || found[4999].Status != cloud.StatusOK {
		t.Fatal(len(found), err)
	}
	if made := calls(); made["DescribeInstances"] != 5 || made["DescribeInstanceStatus"] != 5 || len(made) != 2 {
		t.Errorf("calls: %v", made)
	}
}

func TestIdsAreAskedForAsAFilterInChunks(t *testing.T) {
	var many []string
	for n := range 450 {
		many = append(many, fmt.Sprintf("i-%017x", n))
	}
	a, calls := shaped(t, func(form url.Values) (int, string) {
		if form.Has("InstanceId.1") || form.Has("Filter.1.Value.201") {
			t.Errorf("asks for %v", form)
		}
		return 200, listing("", "")
	})
	if found, err := a.Describe(t.Context(), cloud.Query{Region: region, IDs: many}); err != nil || len(found) != 0 {
		t.Errorf("%v, %v", found, err)
	}
	if made := calls(); made["DescribeInstances"] != 3 || len(made) != 1 {
		t.Errorf("calls: %v", made)
	}
	if found, err := a.Describe(t.Context(), cloud.Query{Region: region, IDs: []string{}}); err != nil || len(found) != 0 || calls()["DescribeInstances"] != 3 {
		t.Errorf("no ids: %v, %v", found, err)
	}
}

func TestALaunchWhoseInstancesEndedIsFoundByItsToken(t *testing.T) {
	known := listing(item("i-0abcdef1234567890", over)+item("i-0abcdef1234567891", over)+item("i-0abcdef1234567892", over), "")
	say := func(form url.Values) (int, string) {
		if form.Get("Action") == "RunInstances" {
			return no(400, "IdempotentInstanceTerminated", "The request uses a client token of instances that were terminated.")(form)
		}
		if form.Get("Filter.1.Name") != "client-token" || form.Get("Filter.1.Value.1") != "t-1" {
			t.Errorf("asks for %v", form)
		}
		return 200, known
	}
	a, _ := shaped(t, say)
	if found, err := a.Launch(t.Context(), wanted()); err != nil || len(found) != 3 {
		t.Errorf("%+v, %v", found, err)
	}
	known = listing("", "")
	_, err := a.Launch(t.Context(), wanted())
	must(t, err, cloud.Unknown)
}

func TestAShortLaunchComesWithARefusalForTheRest(t *testing.T) {
	a, _ := shaped(t, func(url.Values) (int, string) {
		return 200, `<RunInstancesResponse><instancesSet>` + item("i-0abcdef1234567890", runs) + `</instancesSet></RunInstancesResponse>`
	})
	started, err := a.Launch(t.Context(), wanted())
	if r := must(t, err, cloud.NoCapacity); len(started) != 1 || r.Scope != cloud.ScopePool || r.Key != wanted().Market.PoolKey() {
		t.Errorf("%+v, %+v", started, r)
	}
}
