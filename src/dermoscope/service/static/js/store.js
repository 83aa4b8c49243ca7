// One state for the whole page. It is replaced, never changed in place, so a part of it is new exactly if it differs.

/**
 * @param {object} initial
 * @returns {{get: function, set: function, watch: function}}
 */
export function createStore(initial) {
  let state = initial;
  let scheduled = false;
  const watchers = [];

  const notify = () => {
    scheduled = false;
    for (const watcher of watchers) {
      const seen = watcher.select(state);
      if (watcher.seen && seen.every((value, index) => value === watcher.seen[index])) continue;
      watcher.seen = seen;
      watcher.render(state);
    }
  };

  return {
    get: () => state,
    set(patch) {
      state = { ...state, ...patch };
      if (!scheduled) {
        scheduled = true;
        queueMicrotask(notify);
      }
    },
    /** Calls `render` now, and again whenever one of the values that `select` lists is another. */
    watch(select, render) {
      const watcher = { select, render, seen: select(state) };
      watchers.push(watcher);
      render(state);
    },
  };
}
