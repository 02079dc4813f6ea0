def open_trajectories(path): raise NotImplementedError
def read_provenance(path): raise NotImplementedError
def save_trajectories(dataset, path): raise NotImplementedError
