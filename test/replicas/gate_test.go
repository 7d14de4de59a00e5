package replicas

import (
	"context"
	"io"
	"net"
	"net/url"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"
)

// gate stands between a replica and the database, and can be shut.
type gate struct {
	url    string
	to     string
	listen net.Listener

	mu     sync.Mutex
	closed bool
	live   map[net.Conn]bool
}

func openGate(t *testing.T, in *installation) *gate {
	t.Helper()
	at, err := url.Parse(in.url)
	if err != nil {
		t.Fatal(err)
	}
	g := &gate{to: at.Host, live: map[net.Conn]bool{}}
	if g.listen, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	at.Host = g.listen.Addr().String()
	g.url = at.String()
	var passing sync.WaitGroup
	passing.Go(func() {
		for {
			conn, err := g.listen.Accept()
			if err != nil {
				return
			}
			passing.Go(func() { g.pass(conn) })
		}
	})
	t.Cleanup(func() {
		g.listen.Close()
		g.shut()
		passing.Wait()
	})
	return g
}

// pass carries one connection until either side, or the gate, ends it.
func (g *gate) pass(conn net.Conn) {
	defer conn.Close()
	if !g.admit(conn) {
		return
	}
	other, err := net.Dial("tcp", g.to)
	if err != nil {
		return
	}
	defer other.Close()
	if !g.admit(other) {
		return
	}
	var both sync.WaitGroup
	for _, way := range [][2]net.Conn{{conn, other}, {other, conn}} {
		both.Go(func() {
			// However the copying ends, both sides are closed.
			_, _ = io.Copy(way[0], way[1])
			conn.Close()
			other.Close()
		})
	}
	both.Wait()
}

func (g *gate) admit(conn net.Conn) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.live[conn] = true
	return !g.closed
}

// shut cuts every connection and lets none through.
func (g *gate) shut() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.closed = true
	for conn := range g.live {
		conn.Close()
	}
	clear(g.live)
}

func (g *gate) open() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.closed = false
}

// exec changes the engine's database behind its back.
func (in *installation) exec(statement string) {
	in.t.Helper()
	ctx := context.Background()
	conn, err := pgx.Connect(ctx, in.url)
	if err != nil {
		in.t.Fatal(err)
	}
	defer conn.Close(ctx)
	if _, err := conn.Exec(ctx, statement); err != nil {
		in.t.Fatal(err)
	}
}
