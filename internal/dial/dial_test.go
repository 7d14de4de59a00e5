package dial

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/neap-cloud/neap/internal/fault"
)

// names answers DNS questions from memory: each question for a name takes the next of its addresses, the last one again and again.
func names(t *testing.T, book map[string][]string) *net.Resolver {
	t.Helper()
	var asked atomic.Int64
	return &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) {
		ours, theirs := net.Pipe()
		go func() {
			defer theirs.Close()
			for {
				if !answer(theirs, book, &asked) {
					return
				}
			}
		}()
		return ours, nil
	}}
}

// answer reads one question, framed as over TCP, and answers it when it is for an IPv4 or IPv6 address.
func answer(conn net.Conn, book map[string][]string, asked *atomic.Int64) bool {
	var size [2]byte
	if _, err := io.ReadFull(conn, size[:]); err != nil {
		return false
	}
	question := make([]byte, binary.BigEndian.Uint16(size[:]))
	if _, err := io.ReadFull(conn, question); err != nil {
		return false
	}
	name, at := "", 12
	for question[at] != 0 {
		name += string(question[at+1:at+1+int(question[at])]) + "."
		at += 1 + int(question[at])
	}
	kind := binary.BigEndian.Uint16(question[at+1:])
	reply := append([]byte{question[0], question[1], 0x81, 0x80, 0, 1, 0, 0, 0, 0, 0, 0}, question[12:at+5]...)
	if known := book[name]; len(known) > 0 {
		addr := netip.MustParseAddr(known[min(int(asked.Load()), len(known)-1)])
		if wanted := map[bool]uint16{true: 1, false: 28}[addr.Is4()]; wanted == kind {
			asked.Add(1)
			reply[7] = 1
			reply = append(reply, 0xc0, 12, 0, byte(kind), 0, 1, 0, 0, 0, 0, 0, byte(len(addr.AsSlice())))
			reply = append(reply, addr.AsSlice()...)
		}
	} else {
		reply[3] |= 3 // no such name
	}
	_, err := conn.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(reply))), reply...))
	return err == nil
}

// inside is a server that nobody may reach.
func inside(t *testing.T) (port string, reached *atomic.Int64) {
	t.Helper()
	reached = &atomic.Int64{}
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached.Add(1) }))
	t.Cleanup(server.Close)
	_, port, err := net.SplitHostPort(server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return port, reached
}

func get(t *testing.T, client *http.Client, address string) error {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, nil)
	if err != nil {
		return err
	}
	answer, err := client.Do(request)
	if err != nil {
		return err
	}
	return answer.Body.Close()
}

func TestNoSpellingOfAnInsideAddressIsReached(t *testing.T) {
	port, reached := inside(t)
	book := map[string][]string{
		"rebind.example.": {"127.0.0.1"}, "six.example.": {"::1"}, "mapped.example.": {"::ffff:127.0.0.1"}, "metadata.example.": {"169.254.169.254"},
		"nat64.example.": {"64:ff9b::7f00:1"}, "unspecified.example.": {"0.0.0.0"}, "private.example.": {"10.0.0.1"},
		"2130706433.": {"127.0.0.1"}, "017700000001.": {"127.0.0.1"}, "0x7f000001.": {"127.0.0.1"}, "127.1.": {"127.0.0.1"}, "0x7f.0.0.1.": {"127.0.0.1"}, "0177.0.0.1.": {"127.0.0.1"},
	}
	client := New(Config{Resolver: names(t, book)}).Client(5 * time.Second)
	tried := 0
	for _, host := range []string{
		"127.0.0.1", "127.0.0.2", "localhost", "LOCALHOST", "localhost.", "[::1]", "[::]", "0.0.0.0", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[64:ff9b::127.0.0.1]",
		"[::1%25lo]", "[fe80::1%25lo]", "[2002:7f00:1::]", "169.254.169.254", "[fd00:ec2::254]", "10.0.0.1", "192.168.0.1", "172.16.0.1", "100.64.0.1", "224.0.0.1",
		"2130706433", "017700000001", "0x7f000001", "127.1", "0x7f.0.0.1", "0177.0.0.1",
		"rebind.example.", "six.example.", "mapped.example.", "metadata.example.", "nat64.example.", "unspecified.example.", "private.example.",
	} {
		tried++
		err := get(t, client, "http://"+host+":"+port+"/")
		if err == nil {
			t.Errorf("%s is reached", host)
		}
		var refused *Refused
		if strings.HasSuffix(host, ".example.") && !errors.As(err, &refused) {
			t.Errorf("%s is not refused, but: %v", host, err)
		}
	}
	if reached.Load() != 0 {
		t.Errorf("%d requests came through", reached.Load())
	}
	t.Logf("%d spellings, 0 passed", tried)
}

// A name that resolves to something allowed when it is looked at, and to something else when it is connected to.
func TestANameThatChangesItsMindIsJudgedAnewAtEveryConnection(t *testing.T) {
	port, reached := inside(t)
	g := New(Config{Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}, Resolver: names(t, map[string][]string{"rebind.example.": {"127.0.0.1", "127.0.0.9"}})})
	client := g.Client(5 * time.Second)
	if err := get(t, client, "http://rebind.example.:"+port+"/"); err != nil {
		t.Fatalf("the allowed address: %v", err)
	}
	client.CloseIdleConnections()
	var refused *Refused
	if err := get(t, client, "http://rebind.example.:"+port+"/"); !errors.As(err, &refused) || reached.Load() != 1 {
		t.Errorf("after rebinding: %v, reached %d times", err, reached.Load())
	}
}

func TestARedirectIsNotFollowedAndCouldNotReachTheInside(t *testing.T) {
	port, reached := inside(t)
	outside := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "http://127.0.0.9:"+port+"/", http.StatusTemporaryRedirect)
	}))
	defer outside.Close()
	g := New(Config{Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}})
	client := g.Client(5 * time.Second)
	if err := get(t, client, outside.URL); err != nil {
		t.Errorf("the redirect itself is no failure of the connection: %v", err)
	}
	client.CheckRedirect = nil // even if somebody followed it
	var refused *Refused
	if err := get(t, client, outside.URL); !errors.As(err, &refused) {
		t.Errorf("following it: %v", err)
	}
	if reached.Load() != 0 {
		t.Error("the inside was reached")
	}
}

func TestOnlyTCPIsSpoken(t *testing.T) {
	g := New(Config{Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}})
	for _, network := range []string{"udp", "udp4"} {
		if conn, err := g.DialContext(t.Context(), network, "127.0.0.1:9"); err == nil {
			conn.Close()
			t.Errorf("%s is spoken", network)
		}
	}
}

func TestAddressesThatCannotWorkAreRefusedWhenTheyAreGiven(t *testing.T) {
	g := New(Config{})
	for text, fine := range map[string]bool{
		"https://example.com/hook?x=1": true, "http://example.com:8080": true, "https://8.8.8.8/": true, "https://[2606:4700:4700::1111]/": true,
		"": false, "example.com": false, "ftp://example.com": false, "file:///etc/passwd": false, "http://": false, "http:example.com": false, "https://u:p@example.com/": false,
		"http://127.0.0.1/": false, "http://[::1]/": false, "http://2130706433/": false, "http://0x7f000001/": false, "http://0177.0.0.1/": false, "http://127.1/": false,
		"http://127.0.0.1./": false, "http://169.254.169.254/latest": false, "http://[fe80::1%25eth0]/": false, "http://example.com:99999/": false, "http://example.com:0/": false,
		"http://example.com/#x": false, "gopher://example.com": false, "http://10.0.0.1": false,
	} {
		err := g.CheckURL("url", text)
		if (err == nil) != fine {
			t.Errorf("%q: fine is to be %v, got %v", text, fine, err)
		}
		if err != nil && (!fault.Is(err, fault.Invalid) || fault.As(err).Field != "url") {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestAProxyOfTheEnvironmentIsNotUsed(t *testing.T) {
	transport := New(Config{}).Client(time.Second).Transport.(*http.Transport)
	if transport.Proxy != nil {
		to, err := transport.Proxy(&http.Request{URL: &url.URL{Scheme: "http", Host: "example.com"}})
		t.Errorf("a proxy would resolve names where the guard does not see it: %v %v", to, err)
	}
}
