// Runs before anything is painted, so that nobody sees the other theme for a moment.
try {
  const theme = localStorage.getItem('staged-jobs-theme');
  if (theme === 'light' || theme === 'dark') {
    document.documentElement.dataset.theme = theme;
  }
} catch {
  // a browser that stores nothing: the system's theme
}
