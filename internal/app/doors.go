package app

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"
)

// door is an address to serve on.
type door struct {
	flag, address string // what chose it
	listener      net.Listener
	handler       http.Handler
	server        *http.Server
}

type doors []*door

// open listens on every address that is not "".
func open(wanted ...door) (opened doors, err error) {
	for _, d := range wanted {
		if d.address == "" {
			continue
		}
		if d.listener, err = net.Listen("tcp", d.address); err != nil {
			err = fmt.Errorf("listen on %s (choose another with %s): %w", d.address, d.flag, err)
			return nil, errors.Join(err, opened.close())
		}
		opened = append(opened, &d)
	}
	return opened, nil
}

// close gives up what nothing is served on yet.
func (all doors) close() error {
	var failed []error
	for _, d := range all {
		failed = append(failed, d.listener.Close())
	}
	return errors.Join(failed...)
}

// serve begins to answer; the channel tells the first that cannot any more. endStreams is called when the doors are shut: it ends the answers that would go on for ever.
func (all doors) serve(base func(net.Listener) context.Context, endStreams func()) <-chan error {
	served := make(chan error, len(all))
	for _, d := range all {
		d.server = &http.Server{Handler: d.handler, BaseContext: base, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute}
		d.server.RegisterOnShutdown(endStreams)
		go func() { served <- d.server.Serve(d.listener) }()
	}
	return served
}

// shut lets requests in progress finish until ctx ends.
func (all doors) shut(ctx context.Context) error {
	var failed []error
	for _, d := range all {
		failed = append(failed, d.server.Shutdown(ctx))
	}
	return errors.Join(failed...)
}
