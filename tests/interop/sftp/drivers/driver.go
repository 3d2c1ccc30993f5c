// Drives pkg/sftp: what is to be done comes as JSON on standard input.
package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"

	"github.com/pkg/sftp"
	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"
)

type step struct {
	Do, Local, Remote, To string
	Preserve              bool
}

type task struct {
	Host, User, Key    string
	Known              string `json:"known_hosts"`
	Port               int
	Steps              []step
}

func work() ([]any, error) {
	var about task
	if err := json.NewDecoder(os.Stdin).Decode(&about); err != nil {
		return nil, err
	}
	text, err := os.ReadFile(about.Key)
	if err != nil {
		return nil, err
	}
	key, err := ssh.ParsePrivateKey(text)
	if err != nil {
		return nil, err
	}
	known, err := knownhosts.New(about.Known)
	if err != nil {
		return nil, err
	}
	config := &ssh.ClientConfig{
		User:              about.User,
		Auth:              []ssh.AuthMethod{ssh.PublicKeys(key)},
		HostKeyCallback:   known,
		HostKeyAlgorithms: []string{ssh.KeyAlgoED25519},
	}
	connection, err := ssh.Dial("tcp", fmt.Sprintf("%s:%d", about.Host, about.Port), config)
	if err != nil {
		return nil, err
	}
	defer connection.Close()
	client, err := sftp.NewClient(connection)
	if err != nil {
		return nil, err
	}
	defer client.Close()
	done := []any{}
	for _, step := range about.Steps {
		var value any
		var err error
		switch step.Do {
		case "put":
			err = put(client, step)
		case "get":
			err = get(client, step)
		case "names":
			var files []os.FileInfo
			files, err = client.ReadDir(step.Remote)
			names := []string{}
			for _, file := range files {
				names = append(names, file.Name())
			}
			value = names
		case "remove":
			err = client.Remove(step.Remote)
		case "rename":
			err = client.Rename(step.Remote, step.To)
		}
		if err != nil {
			return nil, err
		}
		done = append(done, value)
	}
	return done, nil
}

func put(client *sftp.Client, step step) error {
	from, err := os.Open(step.Local)
	if err != nil {
		return err
	}
	defer from.Close()
	to, err := client.Create(step.Remote)
	if err != nil {
		return err
	}
	if _, err := to.ReadFrom(from); err != nil {
		to.Close()
		return err
	}
	if err := to.Close(); err != nil || !step.Preserve {
		return err
	}
	about, err := from.Stat()
	if err != nil {
		return err
	}
	return client.Chtimes(step.Remote, about.ModTime(), about.ModTime())
}

func get(client *sftp.Client, step step) error {
	from, err := client.Open(step.Remote)
	if err != nil {
		return err
	}
	defer from.Close()
	to, err := os.Create(step.Local)
	if err != nil {
		return err
	}
	defer to.Close()
	_, err = io.Copy(to, from)
	return err
}

func main() {
	answer := map[string]any{}
	done, err := work()
	if err != nil {
		answer["error"] = err.Error()
	} else {
		answer["done"] = done
	}
	json.NewEncoder(os.Stdout).Encode(answer)
}
