// Command report reads what `go test -json` writes and tells a person how the tests went: each package as it ends, every failure in full, and at the
// end the slowest tests, why tests were skipped, and one line of totals.
//
// It owns that account and its exit code: 1 when anything failed, when nothing ran, or when more tests were skipped than allowed. It must not know
// the product. Start reading at run and account.
package main

import (
	"bufio"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
)

func main() {
	allowed := flag.String("skips", "", "file with the number of tests that may be skipped")
	more := flag.Int("more", 0, "how many more may be on this machine, because it can't run what they need")
	flag.Parse()
	code, err := run(os.Stdin, os.Stdout, *allowed, *more)
	if err != nil {
		fmt.Fprintln(os.Stderr, "report:", err)
	}
	os.Exit(code)
}

// event is one line of the stream, as `go doc test2json` describes it.
type event struct {
	Action     string
	Package    string
	ImportPath string // of build-output
	Test       string
	Elapsed    float64 // seconds
	Output     string
}

func run(in io.Reader, out io.Writer, allowedFile string, more int) (code int, err error) {
	allowed, err := readAllowed(allowedFile)
	if err != nil {
		return 1, err
	}
	if allowed != unlimited {
		allowed += more
	}
	account := newAccount(out)
	lines := bufio.NewReader(in)
	for {
		line, err := lines.ReadBytes('\n')
		if len(line) > 0 {
			var e event
			if json.Unmarshal(line, &e) == nil && e.Action != "" {
				account.take(e)
			} else {
				// Whatever else stands in the stream is for people: warnings of the go command, output of a script.
				fmt.Fprint(out, string(line))
			}
		}
		if err == io.EOF {
			break
		}
		if err != nil {
			return 1, err
		}
	}
	return account.close(allowed), nil
}

// unlimited is the allowance when no file states one.
const unlimited = -1

// readAllowed takes the first word of the first line that is neither empty nor a comment.
func readAllowed(name string) (int, error) {
	if name == "" {
		return unlimited, nil
	}
	content, err := os.ReadFile(name)
	if err != nil {
		return 0, err
	}
	for _, line := range strings.Split(string(content), "\n") {
		words := strings.Fields(line)
		if len(words) == 0 || strings.HasPrefix(words[0], "#") {
			continue
		}
		return strconv.Atoi(words[0])
	}
	return 0, fmt.Errorf("%s holds no number", name)
}
