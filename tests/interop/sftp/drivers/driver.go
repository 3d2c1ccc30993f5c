// Drives pkg/sftp over one connection: who logs on comes as a line of JSON on standard input, then a line for each step.
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
	Host, User, Key string
	Known           string `json:"known_hosts"`
	Port            int
}

func serve(in *json.Decoder, say func(any, error)) error {
	var about task
	if err := in.Decode(&about); err != nil {
		return err
	}
	text, err := os.ReadFile(about.Key)
	if err != nil {
		return err
	}
	key, err := ssh.ParsePrivateKey(text)
	if err != nil {
		return err
	}
	known, err := knownhosts.New(about.Known)
	if err != nil {
		return err
	}
	config := &ssh.ClientConfig{
		User:              about.User,
		Auth:              []ssh.AuthMethod{ssh.PublicKeys(key)},
		HostKeyCallback:   known,
		HostKeyAlgorithms: []string{ssh.KeyAlgoED25519},
	}
	connection, err := ssh.Dial("tcp", fmt.Sprintf("%s:%d", about.Host, about.Port), config)
	if err != nil {
		return err
	}
	defer connection.Close()
	client, err := sftp.NewClient(connection)
	if err != nil {
		return err
	}
	defer client.Close()
	for {
		var next step
		if err := in.Decode(&next); err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
		say(do(client, next))
	}
}

func do(client *sftp.Client, step step) (any, error) {
	switch step.Do {
	case "put":
		return 0, put(client, step)
	case "get":
		return 0, get(client, step)
	case "names":
		files, err := client.ReadDir(step.Remote)
		names := []string{}
		for _, file := range files {
			names = append(names, file.Name())
		}
		return names, err
	case "remove":
		return 0, client.Remove(step.Remote)
	case "mkdir":
		return 0, client.Mkdir(step.Remote)
	case "rename":
		return 0, client.Rename(step.Remote, step.To)
	case "replace":
		return 0, client.PosixRename(step.Remote, step.To)
	case "resume":
		return 0, goesOn(client, step, os.O_WRONLY)
	case "append":
		return 0, goesOn(client, step, os.O_WRONLY|os.O_APPEND)
	}
	return nil, fmt.Errorf("no such step: %s", step.Do)
}

// What is missing at the end, or all of it after what is there.
func goesOn(client *sftp.Client, step step, flags int) error {
	from, err := os.Open(step.Local)
	if err != nil {
		return err
	}
	defer from.Close()
	to, err := client.OpenFile(step.Remote, flags)
	if err != nil {
		return err
	}
	if flags&os.O_APPEND == 0 {
		size, err := to.Seek(0, io.SeekEnd)
		if err != nil {
			return err
		}
		if _, err := from.Seek(size, io.SeekStart); err != nil {
			return err
		}
	}
	if _, err := to.ReadFrom(from); err != nil {
		to.Close()
		return err
	}
	return to.Close()
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
	out := json.NewEncoder(os.Stdout)
	say := func(done any, err error) {
		if err != nil {
			out.Encode(map[string]any{"error": err.Error()})
		} else {
			out.Encode(map[string]any{"done": done})
		}
	}
	if err := serve(json.NewDecoder(os.Stdin), say); err != nil {
		say(nil, err)
	}
}
