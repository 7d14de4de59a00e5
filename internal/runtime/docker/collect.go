package docker

import (
	"bufio"
	"context"
	"errors"
	"io"
	"time"

	"github.com/moby/moby/client"
)

// collector takes down what a container writes. Live it reads the attached streams, which miss nothing; afterwards, and for its predecessor's containers, Docker's
// log from its beginning, and leaves out what was taken down before.
type collector struct {
	*keeper
	in    *frames
	split [stderr + 1]splitter
	skip  [stderr + 1]int64 // lines of each stream that have been taken down
	after time.Time         // when the log has lost its beginning: entries up to then have been taken down
	begun bool
	err   error
}

// log opens Docker's log of a container.
func (k *keeper) log(ctx context.Context, id string, follow bool) (io.ReadCloser, error) {
	return k.docker.ContainerLogs(ctx, id, client.ContainerLogsOptions{ShowStdout: true, ShowStderr: true, Timestamps: true, Follow: follow})
}

func (k *keeper) replay(log io.Reader) *collector {
	newest, _ := k.lines.position()
	return &collector{keeper: k, in: &frames{in: bufio.NewReaderSize(log, 1<<16), stamped: true}, skip: [stderr + 1]int64{stdout: newest.Out, stderr: newest.Err}}
}

// run reads to the end: nil when that is the end of the output, as far as can be told here.
func (c *collector) run() error {
	for {
		f, err := c.in.next()
		if errors.Is(err, io.EOF) {
			return errors.Join(c.err, c.lines.flush())
		}
		if err != nil {
			return errors.Join(err, c.lines.flush())
		}
		if c.in.stamped && !c.begun {
			c.begin(f.at)
		}
		if !c.after.IsZero() && !f.at.After(c.after) {
			continue
		}
		before := c.lines.count()
		c.split[f.stream].write(f.at, f.data, c.take(f.stream))
		if c.err != nil {
			return c.err
		}
		if c.lines.count() > before {
			c.watches.tell(c.now().Spec.ID, false)
		}
	}
}

// begin looks whether the log still has its beginning. If not, entries are known by their time alone, and how many are missing is not known.
func (c *collector) begin(oldest time.Time) {
	c.begun = true
	newest, first := c.lines.position()
	if newest.N == 0 || !oldest.After(first) {
		return
	}
	c.skip = [stderr + 1]int64{}
	c.after = time.Unix(0, newest.At)
	if oldest.After(c.after) {
		c.lines.skip()
	}
}

func (c *collector) take(stream int) func(time.Time, string) {
	return func(at time.Time, text string) {
		if c.skip[stream] > 0 {
			c.skip[stream]--
			return
		}
		if err := c.lines.add(stream, at, text); err != nil && c.err == nil {
			c.err = err
		}
	}
}

// end takes down last lines that have no line end; the container must have ended.
func (c *collector) end() error {
	for stream := stdout; stream <= stderr; stream++ {
		c.split[stream].end(time.Now(), c.take(stream))
	}
	return errors.Join(c.err, c.lines.flush())
}
