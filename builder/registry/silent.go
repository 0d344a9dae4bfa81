package registry

import "sync"

// silentHosts are those that did not answer this client within a limit. What it asks is mostly to save work, so it waits for each host once.
type silentHosts struct {
	mu  sync.Mutex
	why map[string]error
}

func (s *silentHosts) of(host string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.why[host]
}

func (s *silentHosts) note(host string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.why == nil {
		s.why = map[string]error{}
	}
	s.why[host] = err
}
