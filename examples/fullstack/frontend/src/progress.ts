/** A task as the backend lists it. */
export interface Task {
  readonly name: string;
  readonly done: boolean;
}

/** How far a list of tasks is, as people read it: `2 of 3 done`. */
export function progress(tasks: readonly Task[]): string {
  const done = tasks.filter((task) => task.done).length;
  return tasks.length === 0 ? "nothing to do" : `${done} of ${tasks.length} done`;
}
