package trace

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/neap-cloud/neap/internal/fault"
)

// Resolve is the path of the file that a user calls name. One without a folder is looked for in the working directory first, then in the given folder of
// traces ("" = there is none). What is nowhere to be found stays as it is.
func Resolve(name, folder string) string {
	if folder == "" || filepath.Base(name) != name || isFile(name) {
		return name
	}
	if beside := filepath.Join(folder, name); isFile(beside) {
		return beside
	}
	return name
}

func isFile(path string) bool {
	found, err := os.Stat(path)
	return err == nil && !found.IsDir()
}

// OpenPrices reads the file of prices at path; see ReadPrices.
func OpenPrices(path string) (Prices, error) { return openAs(path, ReadPrices) }

// OpenAvailability reads the file of availability at path; see ReadAvailability.
func OpenAvailability(path string) (Availability, error) { return openAs(path, ReadAvailability) }

func openAs[T any](path string, read func(string, io.Reader) (T, error)) (T, error) {
	file, err := os.Open(path)
	if err != nil {
		var none T
		return none, unopened(path, err)
	}
	defer file.Close()
	return read(filepath.Base(path), file)
}

func unopened(path string, err error) error {
	var inside *fs.PathError
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fault.Of(fault.NotFound, "trace", "There is no file %q; name it with its folder, or set NEAP_TRACES to the folder that it is in.", path)
	case errors.As(err, &inside):
		err = inside.Err // its text names the path, which the sentence does already
	}
	return fault.Of(fault.Invalid, "trace", "The file %q can't be opened: %v.", path, err)
}
