package process

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
)

// write puts a value into a file, whole or not at all, and so that it outlives a crash of the machine when durable.
func write(name string, value any, durable bool) (err error) {
	content, err := json.Marshal(value)
	if err != nil {
		return err
	}
	file, err := os.CreateTemp(filepath.Dir(name), ".new-*") // 0600
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(file.Name()))
		}
	}()
	_, err = file.Write(content)
	if err == nil && durable {
		err = file.Sync()
	}
	if err = errors.Join(err, file.Close()); err != nil {
		return err
	}
	if err = os.Rename(file.Name(), name); err != nil || !durable {
		return err
	}
	return syncFolder(filepath.Dir(name))
}

func syncFolder(name string) error {
	folder, err := os.Open(name)
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}

// read is the reverse of write.
func read(name string, into any) error {
	content, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	return json.Unmarshal(content, into)
}
