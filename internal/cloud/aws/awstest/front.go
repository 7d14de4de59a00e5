package awstest

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/signer/v4"
)

// Front stands before moto, adds what EC2 does and moto does not, and can be told to make trouble. What lies between the two, and where it is tested instead:
//
//	client tokens      moto starts anew; here the first answer is repeated, and other parameters are IdempotentParameterMismatch
//	ended launches     EC2 answers RunInstances with IdempotentInstanceTerminated; here too, and the filter client-token works
//	counts             moto starts MinCount; here it is as many as MaxCount and Room allow
//	capacity           moto's pools never run dry; here Room limits them, for RunInstances and CreateFleet
//	spot requests      moto gives spot instances no request; here each has one, named after the instance
//	denied calls       moto words them as IAM does; here as EC2 does, with an encoded message
//	unknown ids        moto tags what does not exist; here that is refused
//	why it ended       moto knows users only; here End ends an instance with any reason
//	quota, throttling  not in moto; Refuse answers with any code
//	lost answers       not in moto; Lose cuts the connection after the effect
//	status checks      always ok at once in moto; the recorded shapes of the package's tests show the others
//	long pages         thousands of instances are slow in moto; recorded shapes again
//	fleets' choices    moto takes the first override; here dry ones are taken out first, and come back as errors
//	dead fleets        moto can't delete a fleet without instances; here it can
//	group names        moto starts fleets without any security group; what is asked for is read from the launch template instead
//	prices             moto's are a thousandth of a cent, slow, and no list; here are those that Price told, and no permission for the list
//	states             moto changes instances from any state to any other; here EC2's rules hold, for start, stop, reboot and modify
//	spot at rest       moto stops spot instances; here EC2 refuses
//	unknown names      moto takes any key's name, and breaks down over a group's; here RunInstances refuses unknown ones, and unknown types with EC2's code
//	time               moto's instances run and end at once; Linger shows one in a passing state, and nothing makes it leave that by itself
type Front struct {
	Endpoint string
	server   Server
	keys     map[string]Key

	launching sync.Mutex // held over a launch, so that a repeat waits for the first answer

	mu       sync.Mutex
	calls    map[string]int
	requests []url.Values
	refusals []*trouble
	rooms    map[string]int
	answers  map[string]remembered
	ended    map[string]end
	prices   []price

	lingering map[string]string // state by instance
}

// trouble is what happens to the next calls of an action.
type trouble struct {
	action string
	times  int
	lost   bool
	answer answer
}

type answer struct {
	status int
	body   []byte
}

// remembered is a launch that had a token.
type remembered struct {
	asked string
	given answer
	ids   []string
}

type end struct{ code, transition string }

// NewFront opens a front until the end of the test. It knows the secrets of the keys: what it alters it signs anew.
func NewFront(t testing.TB, server Server, keys ...Key) *Front {
	f := &Front{server: server, keys: map[string]Key{}, calls: map[string]int{}, rooms: map[string]int{}, answers: map[string]remembered{}, ended: map[string]end{}, lingering: map[string]string{}}
	for _, key := range keys {
		f.keys[key.ID] = key
	}
	listener := httptest.NewServer(f)
	t.Cleanup(listener.Close)
	f.Endpoint = listener.URL
	return f
}

// Refuse answers the next calls of an action itself, before they have any effect.
func (f *Front) Refuse(action string, times, status int, code, message string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.refusals = append(f.refusals, &trouble{action: action, times: times, answer: refusal(status, code, message)})
}

// Relent forgets the troubles that have not come yet.
func (f *Front) Relent() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.refusals = nil
}

// Lose lets the next calls of an action take effect, and cuts the connection instead of answering.
func (f *Front) Lose(action string, times int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.refusals = append(f.refusals, &trouble{action: action, times: times, lost: true})
}

// Room makes a pool, named as cloud.Market.PoolKey does, grant at most count instances from now on.
func (f *Front) Room(pool string, count int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.rooms[pool] = count
}

// Calls is how often each action was called, and forgets it.
func (f *Front) Calls() map[string]int {
	f.mu.Lock()
	defer f.mu.Unlock()
	calls := f.calls
	f.calls = map[string]int{}
	return calls
}

// Requests are the parameters of all calls of an action, in order.
func (f *Front) Requests(action string) (found []url.Values) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, form := range f.requests {
		if form.Get("Action") == action {
			found = append(found, form)
		}
	}
	return found
}

// Made are the fleets that were started, in no order.
func (f *Front) Made() (fleets []string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, launch := range f.answers {
		if found := fleetForm.FindSubmatch(launch.given.body); found != nil {
			fleets = append(fleets, string(found[1]))
		}
	}
	return fleets
}

// End ends an instance as EC2 itself does: with a code of its StateReason, and a text of its StateTransitionReason.
func (f *Front) End(t testing.TB, region, id, code, transition string) {
	t.Helper()
	f.server.EC2(t, region, url.Values{"Action": {"TerminateInstances"}, "InstanceId.1": {id}})
	f.mu.Lock()
	defer f.mu.Unlock()
	f.ended[id] = end{code, transition}
}

// Price sets the current spot price of a type in a zone, in dollars.
func (f *Front) Price(kind, zone, dollars string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.prices = append(f.prices, price{kind, zone, dollars})
}

type price struct{ kind, zone, dollars string }

// history is the answer about spot prices; moto's, when nobody has set any.
func (f *Front) history(c *call) answer {
	f.mu.Lock()
	prices := slices.Clone(f.prices)
	f.mu.Unlock()
	if len(prices) == 0 {
		return f.forward(c)
	}
	var items strings.Builder
	for _, p := range prices {
		fmt.Fprintf(&items, `<item><instanceType>%s</instanceType><productDescription>Linux/UNIX</productDescription><spotPrice>%s</spotPrice><timestamp>%s</timestamp><availabilityZone>%s</availabilityZone></item>`,
			p.kind, p.dollars, time.Now().Add(-time.Hour).UTC().Format(time.RFC3339), p.zone)
	}
	return answer{http.StatusOK, []byte(`<DescribeSpotPriceHistoryResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15"><spotPriceHistorySet>` + items.String() + `</spotPriceHistorySet><nextToken/></DescribeSpotPriceHistoryResponse>`)}
}

// ServeHTTP is http.Handler's.
func (f *Front) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	c := &call{request: r, body: body, isEC2: strings.Contains(r.Header.Get("Authorization"), "/ec2/aws4_request")}
	if c.isEC2 {
		c.form, err = url.ParseQuery(string(body))
	}
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	said := f.note(c)
	switch {
	case said == nil:
		said = &trouble{answer: f.answer(c)}
	case said.lost:
		f.answer(c)
		panic(http.ErrAbortHandler) // the server cuts the connection
	}
	w.Header().Set("Content-Type", "text/xml")
	w.WriteHeader(said.answer.status)
	_, _ = w.Write(said.answer.body) // a caller that has left is the test's business
}

// call is one request on its way to moto.
type call struct {
	request *http.Request
	body    []byte
	form    url.Values // of EC2
	isEC2   bool
	altered bool
}

func (c *call) action() string {
	if c.isEC2 {
		return c.form.Get("Action")
	}
	if path, is := strings.CutPrefix(c.request.URL.Path, "/v1/"); is { // AWS Batch: "submitjob"
		return path
	}
	return cmp.Or(c.request.Header.Get("X-Amz-Target"), "other")
}

// scope is key, day, region and service of a signature.
func (c *call) scope() (key, region, service string) {
	_, credential, _ := strings.Cut(c.request.Header.Get("Authorization"), "Credential=")
	credential, _, _ = strings.Cut(credential, ",")
	parts := append(strings.Split(credential, "/"), "", "", "", "")
	return parts[0], parts[2], parts[3]
}

func (c *call) set(name, value string) {
	c.form.Set(name, value)
	c.altered = true
}

// note counts a call, and gives the trouble that lies in its way.
func (f *Front) note(c *call) *trouble {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls[c.action()]++
	if c.isEC2 {
		f.requests = append(f.requests, maps.Clone(c.form))
	}
	for _, said := range f.refusals {
		if said.action == c.action() && said.times > 0 {
			said.times--
			return said
		}
	}
	return nil
}

func (f *Front) answer(c *call) answer {
	switch {
	case strings.HasPrefix(c.action(), "AWSPriceListService."):
		return answer{http.StatusBadRequest, []byte(`{"__type":"AccessDeniedException","Message":"not authorized to perform: pricing:GetProducts"}`)}
	case !c.isEC2:
		return f.learn(f.forward(c))
	}
	var given answer
	switch c.action() {
	case "RunInstances", "CreateFleet":
		given = f.launch(c)
	case "StartInstances", "StopInstances", "RebootInstances", "TerminateInstances", "ModifyInstanceAttribute":
		given = f.change(c)
	case "CreateTags":
		if missing := f.missing(c); missing != "" {
			return refusal(http.StatusBadRequest, "InvalidInstanceID.NotFound", "The instance ID '"+missing+"' does not exist")
		}
		given = f.forward(c)
	case "DescribeSpotPriceHistory":
		return f.history(c)
	case "DeleteFleets":
		if given = f.forward(c); bytes.Contains(given.body, []byte("No instances specified")) {
			c.set("TerminateInstances", "false")
			given = f.forward(c)
		}
	case "DescribeInstances":
		f.findTokens(c)
		given = f.forward(c)
	default:
		given = f.forward(c)
	}
	return f.dress(given)
}

// learn takes note of the keys of sessions: they sign calls too.
func (f *Front) learn(given answer) answer {
	if key := sessionForm.FindSubmatch(given.body); key != nil {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.keys[string(key[1])] = Key{string(key[1]), string(key[2])}
	}
	return given
}

// forward hands a call to moto: as it came, so that its signature holds, or else signed anew.
func (f *Front) forward(c *call) answer {
	ctx, cancel := context.WithTimeout(c.request.Context(), 30*time.Second)
	defer cancel()
	if c.altered {
		c.body = []byte(c.form.Encode())
	}
	out, err := http.NewRequestWithContext(ctx, c.request.Method, f.server.Endpoint+c.request.URL.RequestURI(), bytes.NewReader(c.body))
	if err != nil {
		return refusal(http.StatusBadGateway, "Front", err.Error())
	}
	out.Header, out.Host = c.request.Header.Clone(), c.request.Host
	if c.altered {
		key, region, service := c.scope()
		out.Header.Del("Authorization")
		sum := sha256.Sum256(c.body)
		f.mu.Lock()
		credentials := aws.Credentials{AccessKeyID: key, SecretAccessKey: f.keys[key].Secret, SessionToken: out.Header.Get("X-Amz-Security-Token")}
		f.mu.Unlock()
		if err := v4.NewSigner().SignHTTP(ctx, credentials, out, hex.EncodeToString(sum[:]), service, region, time.Now()); err != nil {
			return refusal(http.StatusBadGateway, "Front", err.Error())
		}
	}
	response, err := http.DefaultClient.Do(out)
	if err != nil {
		return refusal(http.StatusBadGateway, "Front", err.Error())
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return refusal(http.StatusBadGateway, "Front", err.Error())
	}
	return answer{response.StatusCode, body}
}

// refusal is how EC2 says no.
func refusal(status int, code, message string) answer {
	return answer{status, fmt.Appendf(nil, `<?xml version="1.0" encoding="UTF-8"?><Response><Errors><Error><Code>%s</Code><Message>%s</Message></Error></Errors><RequestID>r-1</RequestID></Response>`, code, message)}
}

var (
	sessionForm  = regexp.MustCompile(`(?s)<AccessKeyId>([^<]+)</AccessKeyId>.*?<SecretAccessKey>([^<]+)</SecretAccessKey>`)
	deniedForm   = regexp.MustCompile(`<Code>AccessDenied</Code><Message>([^<]*)</Message>`)
	instanceForm = regexp.MustCompile(`<instanceId>(i-[0-9a-f]+)</instanceId>`)
	spotForm     = regexp.MustCompile(`<instanceLifecycle>spot</instanceLifecycle>`)
	fleetForm    = regexp.MustCompile(`<fleetId>(fleet-[0-9a-f-]+)</fleetId>`)
	stateForm    = regexp.MustCompile(`<stateReason>.*?</stateReason>`)
	reasonForm   = regexp.MustCompile(`<reason>.*?</reason>|<reason/>`)
)

// dress words an answer as EC2 does.
func (f *Front) dress(given answer) answer {
	if denied := deniedForm.FindSubmatch(given.body); denied != nil {
		return refusal(http.StatusForbidden, "UnauthorizedOperation", "You are not authorized to perform this operation. "+string(denied[1])+
			" because no identity-based policy allows it. Encoded authorization failure message: 4OJKzQ7kVJp1hD-encoded-nobody-reads-this")
	}
	// Each instance ends where the next one begins: moto tells its architecture first.
	parts := bytes.Split(given.body, []byte("<item><architecture>"))
	for n, part := range parts {
		own := instanceForm.FindSubmatch(part)
		if n == 0 || own == nil {
			continue
		}
		id := string(own[1])
		part = spotForm.ReplaceAll(part, []byte("<instanceLifecycle>spot</instanceLifecycle><spotInstanceRequestId>sir-"+id[2:10]+"</spotInstanceRequestId>"))
		f.mu.Lock()
		how, is := f.ended[id]
		f.mu.Unlock()
		if is && how.code != "" {
			part = stateForm.ReplaceAll(part, []byte("<stateReason><code>"+how.code+"</code><message>"+how.code+"</message></stateReason>"))
			part = reasonForm.ReplaceAll(part, []byte("<reason>"+how.transition+"</reason>"))
		}
		parts[n] = f.linger(id, part)
	}
	given.body = bytes.Join(parts, []byte("<item><architecture>"))
	return given
}

// missing is the first instance of a call that does not exist.
func (f *Front) missing(c *call) string {
	for name, value := range c.form {
		if strings.HasPrefix(name, "ResourceId.") && strings.HasPrefix(value[0], "i-") && !bytes.Contains(f.seen(c, value[0]), []byte(value[0])) {
			return value[0]
		}
	}
	return ""
}

// seen is what moto shows of an instance.
func (f *Front) seen(c *call, id string) []byte {
	look := &call{request: c.request, altered: true, form: url.Values{"Action": {"DescribeInstances"}, "Version": {"2016-11-15"}, "Filter.1.Name": {"instance-id"}, "Filter.1.Value.1": {id}}}
	return f.forward(look).body
}

// findTokens puts ids in place of the tokens that a filter asks for.
func (f *Front) findTokens(c *call) {
	if c.form.Get("Filter.1.Name") != "client-token" {
		return
	}
	_, region, _ := c.scope()
	f.mu.Lock()
	defer f.mu.Unlock()
	c.set("Filter.1.Name", "instance-id")
	for n, id := range f.answers[region+"/RunInstances/"+c.form.Get("Filter.1.Value.1")].ids {
		c.set(fmt.Sprintf("Filter.1.Value.%d", n+1), id)
	}
}

// idsIn are the instances that an answer names, each once.
func idsIn(body []byte) (ids []string) {
	for _, match := range regexp.MustCompile(`>(i-[0-9a-f]{17})<`).FindAllSubmatch(body, -1) {
		if id := string(match[1]); !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
	}
	return ids
}
